package zwavejs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/internal/wsjson"
)

const (
	// schemaKnown is the newest API schema that was seen; schemaNeeded is the
	// first with highestSecurityClass.
	schemaKnown, schemaNeeded = 50, 10

	answerTimeout = 30 * time.Second
	pingEvery     = 30 * time.Second
)

// session connects to a server and follows it until the connection ends. It
// never returns nil.
func (s *source) session(ctx context.Context, n *network, report func([]discovery.Observation)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ws, err := wsjson.Dial(ctx, n.url.String(), s.http, nil)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", n.name, err)
	}
	defer ws.Close()
	c := conn{ws}
	state, err := s.handshake(ctx, n, c)
	if err != nil {
		return err
	}
	s.mu.Lock()
	err = s.adopt(n, state)
	if err == nil {
		report(n.replace(state, s.env.Now()))
	}
	s.reportHealth()
	s.mu.Unlock()
	if err != nil {
		return err
	}
	pings := make(chan error, 1)
	go func() { pings <- s.attend(ctx, n, c, report); cancel() }()
	err = s.read(ctx, n, c, report)
	cancel()
	if p := <-pings; errors.Is(p, wsjson.ErrSilent) {
		return p
	}
	return err
}

// conn is a connection to a server.
type conn struct{ *wsjson.Conn }

func (c conn) send(ctx context.Context, command map[string]any) error {
	b, err := json.Marshal(command)
	if err != nil {
		return fmt.Errorf("encode command: %w", err)
	}
	return c.Write(ctx, b)
}

// attend notices a server that has gone without a word, and does what is due
// while nothing is sent.
func (s *source) attend(ctx context.Context, n *network, c conn, report func([]discovery.Observation)) error {
	t := time.NewTicker(pingEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		if err := c.Ping(ctx); errors.Is(err, wsjson.ErrSilent) {
			return err
		} else if err != nil {
			return nil // the reader knows why
		}
		s.mu.Lock()
		report(n.tick(s.env.Now()))
		s.reportHealth()
		s.mu.Unlock()
	}
}

// handshake agrees on a schema and returns the whole state.
func (s *source) handshake(ctx context.Context, n *network, c conn) (fullState, error) {
	first, cancel := context.WithTimeout(ctx, wsjson.Timeout)
	defer cancel()
	b, err := c.Read(first)
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
	r, err := c.call(ctx, map[string]any{"messageId": "1", "command": "initialize", "schemaVersion": schema})
	if err == nil && !r.ok() { // servers before 1.23 have only the older command
		r, err = c.call(ctx, map[string]any{"messageId": "1a", "command": "set_api_schema", "schemaVersion": schema})
	}
	if err == nil {
		err = r.failure()
	}
	if err != nil {
		return fullState{}, fmt.Errorf("agree on schema %d: %w", schema, err)
	}
	r, err = c.call(ctx, map[string]any{"messageId": "2", "command": "start_listening"})
	if err == nil {
		err = r.failure()
	}
	if err != nil {
		return fullState{}, fmt.Errorf("start listening: %w", err)
	}
	return decodeState(r.Result)
}

// call sends a command and waits for its result.
func (c conn) call(ctx context.Context, command map[string]any) (frame, error) {
	if err := c.send(ctx, command); err != nil {
		return frame{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	for {
		b, err := c.Read(ctx)
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

// adopt makes sure that no other server reports the same network.
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
func (s *source) read(ctx context.Context, n *network, c conn, report func([]discovery.Observation)) error {
	for {
		b, err := c.Read(ctx)
		if err != nil {
			return err
		}
		s.mu.Lock()
		what := n.frame(b, s.env.Now())
		report(what.observations)
		s.reportHealth()
		s.mu.Unlock()
		if what.restart {
			return errors.New("the driver started anew")
		}
		if what.refresh != 0 {
			// The event names the node only; its state is in the server's memory.
			if err := c.send(ctx, map[string]any{"messageId": "node", "command": "node.get_state", "nodeId": what.refresh}); err != nil {
				return err
			}
		}
	}
}
