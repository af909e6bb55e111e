// Package session keeps a source connected to the program that it learns from:
// it connects again with backoff, reports the source's health on change, and
// counts connections. What is said on a connection is the source's own affair.
package session

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
)

// Follow calls connect until ctx is done, again after each end of the connection
// and after a pause that grows while it fails. Connect returns why the connection
// ended; lost is called with that before the pause, but not once ctx is done.
func Follow(ctx context.Context, connect func(context.Context) error, lost func(error)) {
	for attempt := 0; ctx.Err() == nil; attempt++ {
		began := time.Now()
		err := connect(ctx)
		if ctx.Err() != nil {
			return
		}
		lost(err)
		if time.Since(began) > MaxBackoff {
			attempt = 0
		}
		select {
		case <-ctx.Done():
		case <-time.After(backoff(attempt, rand.Float64())):
		}
	}
}

// Poll calls read at once and again after each period, until ctx is done. It
// reports a failure as health, and that the source is well after a success.
func Poll(ctx context.Context, every time.Duration, h *Health, read func(context.Context) error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := read(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			h.Set(discovery.Down, "It does not work at present: "+err.Error()+".")
		default:
			h.Set(discovery.OK, "")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Health reports the health of a source when it changes. It may be used from any
// goroutine.
type Health struct {
	report func(discovery.Status, string)

	mu      sync.Mutex
	status  discovery.Status
	problem string
}

// NewHealth returns a Health that calls report, as Env.Health is.
func NewHealth(report func(discovery.Status, string)) *Health { return &Health{report: report} }

// Set reports a health that differs from the last one.
func (h *Health) Set(status discovery.Status, problem string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if status != h.status || problem != h.problem {
		h.status, h.problem = status, problem
		h.report(status, problem)
	}
}

// Status is the health that was reported last; "" if none was.
func (h *Health) Status() discovery.Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.status
}

// Count counts a connection to the host of a URL, by Env.Sent. A host that is a
// name counts for the whole home.
func Count(env discovery.Env, u *url.URL) {
	host := u.Hostname()
	if strings.EqualFold(host, "localhost") {
		host = "127.0.0.1"
	}
	addr, _ := netip.ParseAddr(host)
	env.Sent(addr, 0, 1)
}
