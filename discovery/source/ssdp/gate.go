package ssdp

import (
	"net"
	"net/netip"
	"sync"

	"golang.org/x/time/rate"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/inventory"
)

const (
	// A device with many parts sends some forty packets at once, and answers each
	// search with as many.
	senderRate  = 20 // packets a second
	senderBurst = 100
	totalRate   = 500
	totalBurst  = 1000
	maxSenders  = inventory.MaxDevices
)

// gate passes packets from devices on the watched networks, up to a rate for each
// of them (threats T14 and T15). It is safe for concurrent use and
// never blocks.
type gate struct {
	env discovery.Env
	out chan<- message

	mu    sync.Mutex
	total *rate.Limiter
	by    map[netip.Addr]*rate.Limiter
}

func newGate(env discovery.Env, out chan<- message) *gate {
	return &gate{env: env, out: out, total: rate.NewLimiter(totalRate, totalBurst), by: map[netip.Addr]*rate.Limiter{}}
}

// admits reports whether another packet of that sender may be looked at, and
// returns the sender's address.
func (g *gate) admits(from net.Addr) (netip.Addr, bool) {
	udp, ok := from.(*net.UDPAddr)
	if !ok {
		return netip.Addr{}, false
	}
	a := udp.AddrPort().Addr().Unmap()
	networks := g.env.Networks()
	if _, onLink := networks.OnLink(a); !a.Is4() || !onLink || networks.Own(a) {
		return netip.Addr{}, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.by[a]
	if l == nil {
		if len(g.by) >= maxSenders {
			clear(g.by) // made-up senders must not shut out new ones
		}
		l = rate.NewLimiter(senderRate, senderBurst)
		g.by[a] = l
	}
	// The sender's share first: one that sends too much leaves the total to others.
	return a, l.Allow() && g.total.Allow()
}

// pass hands a message on, unless there is too much to do.
func (g *gate) pass(m message) {
	select {
	case g.out <- m:
	default:
	}
}
