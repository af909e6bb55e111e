package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// maxHeader is the largest head of a request, in bytes. Home Assistant passes on
	// cookies of all that its host name serves.
	maxHeader = 32 << 10
	// maxWaiting is how many connections may be open without a request being
	// answered on them. At one more, the one that has waited longest is closed.
	maxWaiting = 128
)

// Listen returns a listener at the TCP address, for HTTPS if there is a certificate.
func Listen(ctx context.Context, addr, certFile, keyFile string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("opening the port of the page: %w", err)
	}
	if certFile == "" {
		return l, nil
	}
	if _, err := tls.LoadX509KeyPair(certFile, keyFile); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("reading the certificate of the page: %w", err)
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		// Read at each connection: certificates are renewed while we run.
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			c, err := tls.LoadX509KeyPair(certFile, keyFile)
			return &c, err
		},
	}), nil
}

// ListenIngress returns a listener at which only the Supervisor and this machine
// itself arrive. Connections of others are closed unread.
func ListenIngress(ctx context.Context, addr string) (net.Listener, error) {
	l, err := Listen(ctx, addr, "", "")
	if err != nil {
		return nil, err
	}
	return guarded{l}, nil
}

// Serve answers at the listener until ctx is done, and closes it.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	var w waiting
	s := &http.Server{
		Handler: h, MaxHeaderBytes: maxHeader,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ConnState:   w.follow,
		BaseContext: func(net.Listener) context.Context { return ctx }, // ends streams
	}
	stop := context.AfterFunc(ctx, func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if s.Shutdown(end) != nil {
			_ = s.Close()
		}
	})
	defer stop()
	if err := s.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the page: %w", err)
	}
	return nil
}

// waiting are the connections on which no request is being answered, the one that
// has waited longest first: those that never finish one must not keep others out.
type waiting struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (w *waiting) follow(c net.Conn, state http.ConnState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns = slices.DeleteFunc(w.conns, func(x net.Conn) bool { return x == c })
	if state != http.StateNew && state != http.StateIdle {
		return
	}
	if w.conns = append(w.conns, c); len(w.conns) > maxWaiting {
		_ = w.conns[0].Close()
		w.conns = w.conns[1:]
	}
}

// guarded is a listener at which only those arrive who are welcome.
type guarded struct{ net.Listener }

// Accept implements net.Listener.
func (g guarded) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if peer, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil && welcome(peer.Addr().Unmap()) {
			return c, nil
		}
		_ = c.Close()
	}
}
