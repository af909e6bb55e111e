package web

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	freeAttempts = 5 // of one address, before it has to wait
	longestWait  = time.Minute
	maxGuessers  = 1024
)

// attempts slows whoever guesses passwords: an address waits twice as long after
// each wrong one, and all together may try once a second, which bounds what the
// slow hash costs.
type attempts struct {
	mu   sync.Mutex
	by   map[netip.Addr]*guesser
	rate *rate.Limiter
}

type guesser struct {
	wrong int
	until time.Time // before which nothing more is tried
}

func newAttempts() *attempts {
	return &attempts{by: map[netip.Addr]*guesser{}, rate: rate.NewLimiter(1, 10)}
}

// allow reports whether an address may try now, and else for how long it has to wait.
func (a *attempts) allow(peer netip.Addr, now time.Time) (wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if g := a.by[network(peer)]; g != nil && now.Before(g.until) {
		return g.until.Sub(now)
	}
	if !a.rate.AllowN(now, 1) {
		return time.Second
	}
	// As if it were wrong, until it turns out not to be: many at once are many.
	g := a.by[network(peer)]
	if g == nil {
		if len(a.by) >= maxGuessers {
			clear(a.by)
		}
		g = &guesser{}
		a.by[network(peer)] = g
	}
	if g.wrong++; g.wrong >= freeAttempts {
		g.until = now.Add(min(time.Second<<min(g.wrong-freeAttempts, 10), longestWait))
	}
	return 0
}

// right forgets an address that knew the password.
func (a *attempts) right(peer netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.by, network(peer))
}

// network is what one guesser has: an IPv4 address, or a /64 of IPv6.
func network(a netip.Addr) netip.Addr {
	if p, err := a.Prefix(64); err == nil && a.Is6() {
		return p.Addr()
	}
	return a
}
