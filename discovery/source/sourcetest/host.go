package sourcetest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
)

// Host is a machine that serves HTTP by connections in memory while it is up. It
// is the transport of the source under test.
type Host struct {
	Handler http.Handler

	mu      sync.Mutex
	up      bool
	stalled bool
	conns   []net.Conn
}

// SetUp makes the host listen, or end all connections and refuse new ones.
func (h *Host) SetUp(up bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.up = up
	if !up {
		for _, c := range h.conns {
			_ = c.Close()
		}
		h.conns = nil
	}
}

// Stall makes the host vanish without closing its connections: what it writes
// does not arrive.
func (h *Host) Stall() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stalled = true
}

// RoundTrip implements http.RoundTripper.
func (h *Host) RoundTrip(r *http.Request) (*http.Response, error) {
	t := &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if !h.up {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connect: connection refused")}
		}
		near, far := net.Pipe()
		h.conns = append(h.conns, far)
		one := &oneListener{conn: &stalling{far, h}}
		go func() { _ = (&http.Server{Handler: h.Handler}).Serve(one) }() // ends with the connection
		return near, nil
	}}
	return t.RoundTrip(r)
}

// stalling is the host's end of a connection.
type stalling struct {
	net.Conn
	host *Host
}

func (c *stalling) Write(b []byte) (int, error) {
	c.host.mu.Lock()
	stalled := c.host.stalled
	c.host.mu.Unlock()
	if stalled {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// oneListener hands out one connection.
type oneListener struct{ conn net.Conn }

func (l *oneListener) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l *oneListener) Close() error   { return nil }
func (l *oneListener) Addr() net.Addr { return &net.TCPAddr{} }
