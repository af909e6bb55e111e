package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// maxHeader is the largest head of a request, in bytes. Home Assistant passes on
// cookies of all that its host name serves.
const maxHeader = 32 << 10

// Serve answers at the address until ctx is done. Connections of others than the
// Supervisor and this machine are closed unread.
func Serve(ctx context.Context, addr string, h http.Handler, log *slog.Logger) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("serving the page: %w", err)
	}
	return serve(ctx, guarded{l}, h, log)
}

func serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	s := &http.Server{
		Handler: h, MaxHeaderBytes: maxHeader,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
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

// guarded is a listener at which only those arrive who are welcome.
type guarded struct{ net.Listener }

// Accept implements net.Listener.
func (g guarded) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if peer, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil && welcome(peer.Addr()) {
			return c, nil
		}
		_ = c.Close()
	}
}
