// Package wsjson is a client's side of a WebSocket (RFC 6455) on which JSON texts
// go to and fro: limits, timeouts, and errors that can be shown. It knows nothing
// of what the texts mean.
package wsjson

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

const (
	// Timeout is how long connecting, writing and a ping may take.
	Timeout = 10 * time.Second
	// MaxFrame is the longest text that is read, in bytes: the lists of a large
	// home are about 2 MB.
	MaxFrame = 16 << 20
)

// Errors of a connection, whatever the cause that they wrap.
var (
	ErrSilent = errors.New("it no longer answers")
	ErrLost   = errors.New("the connection was lost")
)

// StatusError is the answer of a server that did not open a WebSocket.
type StatusError struct {
	Code   int    // of HTTP
	Status string // such as "401 Unauthorized"
	err    error
}

// Error implements error.
func (e *StatusError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *StatusError) Unwrap() error { return e.err }

// Conn is a connection. One goroutine may read while others write.
type Conn struct{ ws *websocket.Conn }

// Client returns an HTTP client for Dial that follows no redirect: what is sent
// must reach no other server.
func Client(transport http.RoundTripper) *http.Client {
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Transport returns a transport for Client that uses no proxy and keeps no
// connection.
func Transport() http.RoundTripper {
	return &http.Transport{MaxResponseHeaderBytes: 16 << 10, DisableKeepAlives: true}
}

// Dial connects. Its error may hold the address, but nothing of the header.
func Dial(ctx context.Context, url string, client *http.Client, header http.Header) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	ws, resp, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: client, HTTPHeader: header})
	if err != nil && resp != nil {
		return nil, &StatusError{resp.StatusCode, resp.Status, err}
	}
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(MaxFrame)
	return &Conn{ws}, nil
}

// Read returns the next text; its error is ErrLost.
func (c *Conn) Read(ctx context.Context) ([]byte, error) {
	_, b, err := c.ws.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLost, err)
	}
	return b, nil
}

// Write sends a text; its error is ErrLost.
func (c *Conn) Write(ctx context.Context, text []byte) error {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	if err := c.ws.Write(ctx, websocket.MessageText, text); err != nil {
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	return nil
}

// Ping waits for a sign of life, which only arrives while another goroutine reads.
// Its error is ErrSilent if there was none in time, else ErrLost.
func (c *Conn) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	err := c.ws.Ping(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", ErrSilent, err)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	return nil
}

// Close ends the connection at once.
func (c *Conn) Close() { _ = c.ws.CloseNow() }

// Plain shortens an error to its cause, for people: one of known, an error of this
// package, or what the system says of the network.
func Plain(err error, known ...error) string {
	for _, k := range append([]error{ErrSilent}, append(known, ErrLost)...) {
		if errors.Is(err, k) {
			return k.Error()
		}
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	return fact.Clean(err.Error(), 120)
}
