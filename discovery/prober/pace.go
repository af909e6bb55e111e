package prober

import (
	"context"
	"sync"
	"time"
)

// pace lets at most n events happen in any second.
type pace struct {
	mu    sync.Mutex
	times []time.Time // of the last n events, a ring
	next  int         // index of the oldest
}

func newPace(n int) *pace { return &pace{times: make([]time.Time, n)} }

// wait returns when the next event may happen, or with the context's error.
func (p *pace) wait(ctx context.Context) error {
	delay := p.reserve(time.Now())
	if delay <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (p *pace) reserve(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := now
	if oldest := p.times[p.next]; !oldest.IsZero() && oldest.Add(time.Second).After(now) {
		at = oldest.Add(time.Second)
	}
	p.times[p.next] = at
	p.next = (p.next + 1) % len(p.times)
	return at.Sub(now)
}

// late says that the event of the last reservation happens only now, since it
// had to wait for something else too.
func (p *pace) late(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.times[(p.next+len(p.times)-1)%len(p.times)] = now
}

// Connection waits until one more connection may be opened to a device of the home
// by somebody else than a probe: all share the house's pace.
func (p *Prober) Connection(ctx context.Context) error { return p.house.wait(ctx) }
