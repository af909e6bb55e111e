package zwavejs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/coder/websocket"

	"github.com/thingwarden/thingwarden/discovery"
)

const (
	// schemaKnown is the newest API schema that was seen; schemaNeeded is the
	// first with highestSecurityClass.
	schemaKnown, schemaNeeded = 50, 10

	maxFrame       = 16 << 20 // a state of 8 nodes is 143 KB
	connectTimeout = 10 * time.Second
	answerTimeout  = 30 * time.Second
	pingEvery      = 30 * time.Second
)

// session connects to a server and follows it until the connection ends. It
// never returns nil.
func (s *source) session(ctx context.Context, n *network, tell func([]discovery.Observation)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := s.dial(ctx, n)
	if err != nil {
		return err
	}
	defer func() { _ = c.ws.CloseNow() }()
	state, err := s.handshake(ctx, n, c)
	if err != nil {
		return err
	}
	s.mu.Lock()
	err = s.adopt(n, state)
	if err == nil {
		tell(n.replace(state, s.env.Now()))
	}
	s.tellHealth()
	s.mu.Unlock()
	if err != nil {
		return err
	}
	pings := make(chan error, 1)
	go func() { pings <- s.attend(ctx, n, c, tell); cancel() }()
	err = s.read(ctx, n, c, tell)
	cancel()
	if p := <-pings; errors.Is(p, errSilent) {
		return p
	}
	return err
}

var (
	errSilent = errors.New("it no longer answers")
	errLost   = errors.New("the connection was lost")
)

// conn is a connection to a server.
type conn struct{ ws *websocket.Conn }

func (s *source) dial(ctx context.Context, n *network) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, n.url.String(), &websocket.DialOptions{HTTPClient: s.http})
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", n.name, err)
	}
	ws.SetReadLimit(maxFrame)
	return &conn{ws}, nil
}

// next reads a frame; zero timeout waits for ever.
func (c *conn) next(ctx context.Context, timeout time.Duration) ([]byte, error) {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	_, b, err := c.ws.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errLost, err)
	}
	return b, nil
}

func (c *conn) send(ctx context.Context, command map[string]any) error {
	b, err := json.Marshal(command)
	if err != nil {
		return fmt.Errorf("encode command: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := c.ws.Write(ctx, websocket.MessageText, b); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// attend notices a server that has gone without a word, and does what is due
// while nothing is sent.
func (s *source) attend(ctx context.Context, n *network, c *conn, tell func([]discovery.Observation)) error {
	t := time.NewTicker(pingEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		ping, cancel := context.WithTimeout(ctx, connectTimeout)
		err := c.ws.Ping(ping)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("%w: %w", errSilent, err)
		}
		if err != nil {
			return nil // the reader knows why
		}
		s.mu.Lock()
		tell(n.tick(s.env.Now()))
		s.tellHealth()
		s.mu.Unlock()
	}
}

// handshake agrees on a schema and returns the whole state.
func (s *source) handshake(ctx context.Context, n *network, c *conn) (fullState, error) {
	b, err := c.next(ctx, connectTimeout)
	if err != nil {
		return fullState{}, fmt.Errorf("wait for version: %w", err)
	}
	v, err := decodeVersion(b)
	if err != nil {
		return fullState{}, fmt.Errorf("version: %w", err)
	}
	s.mu.Lock()
	n.expected = true // from here on it is missed when it goes
	s.mu.Unlock()
	schema, err := v.schema()
	if err != nil {
		return fullState{}, err
	}
	r, err := c.ask(ctx, map[string]any{"messageId": "1", "command": "initialize", "schemaVersion": schema})
	if err == nil && !r.ok() { // servers before 1.23 have only the older command
		r, err = c.ask(ctx, map[string]any{"messageId": "1a", "command": "set_api_schema", "schemaVersion": schema})
	}
	if err == nil {
		err = r.failure()
	}
	if err != nil {
		return fullState{}, fmt.Errorf("agree on schema %d: %w", schema, err)
	}
	r, err = c.ask(ctx, map[string]any{"messageId": "2", "command": "start_listening"})
	if err == nil {
		err = r.failure()
	}
	if err != nil {
		return fullState{}, fmt.Errorf("start listening: %w", err)
	}
	return decodeState(r.Result)
}

// ask sends a command and waits for its result.
func (c *conn) ask(ctx context.Context, command map[string]any) (frame, error) {
	if err := c.send(ctx, command); err != nil {
		return frame{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	for {
		b, err := c.next(ctx, 0)
		if err != nil {
			return frame{}, err
		}
		f, err := decodeFrame(b)
		if err != nil {
			return frame{}, err
		}
		if f.Type == "result" && string(f.MessageID) == command["messageId"] {
			return f, nil
		}
	}
}

// adopt makes sure that no other server speaks for the same network.
func (s *source) adopt(n *network, state fullState) error {
	home := state.home()
	if o := s.owners[home]; o != nil && o != n && o.connected {
		return fmt.Errorf("it is the network that %s is connected to", o.name)
	}
	s.owners[home] = n
	s.env.Log.Info("zwave-js connected", "url", n.name, "home", home, "nodes", len(state.Nodes))
	n.connected, n.err, n.spoilt = true, nil, state.Spoilt
	return nil
}

// read takes events until the connection ends.
func (s *source) read(ctx context.Context, n *network, c *conn, tell func([]discovery.Observation)) error {
	for {
		b, err := c.next(ctx, 0)
		if err != nil {
			return err
		}
		s.mu.Lock()
		what := n.frame(b, s.env.Now())
		tell(what.observations)
		s.tellHealth()
		s.mu.Unlock()
		if what.restart {
			return errors.New("the driver started anew")
		}
		if what.ask != 0 {
			// The event names the node only; its state is in the server's memory.
			if err := c.send(ctx, map[string]any{"messageId": "node", "command": "node.get_state", "nodeId": what.ask}); err != nil {
				return err
			}
		}
	}
}
