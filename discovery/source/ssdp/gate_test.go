package ssdp

import (
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
)

// Threat T14: one sender has its share, and all have theirs together.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wide := discovery.Networks{Watched: []discovery.Network{{Interface: "lan0", Prefix: netip.MustParsePrefix("10.0.0.0/16"), Own: netip.MustParseAddr("10.0.0.2")}}}
		g := newGate(discovery.Env{Networks: func() discovery.Networks { return wide }}, nil)
		admitted := func(n int, from func(i int) net.IP) (count int) {
			for i := range n {
				if _, ok := g.admits(&net.UDPAddr{IP: from(i)}); ok {
					count++
				}
			}
			return count
		}
		evil := func(int) net.IP { return net.IPv4(10, 0, 0, 66) }
		many := func(i int) net.IP { return net.IPv4(10, 0, byte(1+i/200), byte(1+i%200)) }
		if n := admitted(10_000, evil); n != senderBurst {
			t.Errorf("%d packets of one sender at once, want %d", n, senderBurst)
		}
		if n := admitted(1, many); n != 1 {
			t.Error("one that sends too much leaves nothing to another")
		}
		time.Sleep(time.Second)
		if n := admitted(10_000, evil); n != senderRate {
			t.Errorf("%d packets of one sender a second later, want %d", n, senderRate)
		}
		time.Sleep(time.Minute)
		if n := admitted(10*totalBurst, many); n != totalBurst {
			t.Errorf("%d packets of many senders at once, want %d", n, totalBurst)
		}
		if len(g.by) > maxSenders {
			t.Errorf("%d senders are remembered", len(g.by))
		}
	})
}
