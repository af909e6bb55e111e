package neighbours

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
)

func onNetwork(prefix, own string) discovery.Network {
	return discovery.Network{Interface: "lan0", Index: 2, Prefix: netip.MustParsePrefix(prefix), Own: netip.MustParseAddr(own)}
}

func TestSweepable(t *testing.T) {
	tests := []struct {
		name     string
		networks []discovery.Network
		want     string
	}{
		{"small", []discovery.Network{onNetwork("10.0.0.0/29", "10.0.0.3")}, "10.0.0.1 10.0.0.2 10.0.0.4 10.0.0.5 10.0.0.6"},
		{"two own addresses", []discovery.Network{onNetwork("10.0.0.0/30", "10.0.0.1"), onNetwork("10.0.0.0/30", "10.0.0.2")}, ""},
		{"point to point", []discovery.Network{onNetwork("10.0.0.0/31", "10.0.0.1")}, "10.0.0.0"},
		{"IPv6", []discovery.Network{onNetwork("fd00::/64", "fd00::1")}, ""},
		{"end of the address space", []discovery.Network{onNetwork("255.255.255.252/30", "255.255.255.253")}, "255.255.255.254"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for a := range sweepable(discovery.Networks{Watched: tt.networks}) {
				got = append(got, a.String())
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("addresses (-want +got):\n%s", diff)
			}
		})
	}
	n := len(slices.Collect(sweepable(discovery.Networks{Watched: []discovery.Network{onNetwork("192.168.1.0/24", "192.168.1.2")}})))
	if n != 253 {
		t.Errorf("%d addresses of a /24", n)
	}
}

// drain probes as fast as it may for a time; answered says which addresses the
// kernel can resolve at once.
func drain(a *probeQueue, from time.Time, during time.Duration, answered func(netip.Addr) bool) (probed []netip.Addr, at []time.Time, mostOpen int) {
	for now := from; now.Before(from.Add(during)); {
		addr, wait := a.take(now)
		if !addr.IsValid() {
			if wait == 0 {
				break
			}
			now = now.Add(wait)
			continue
		}
		probed, at = append(probed, addr), append(at, now)
		mostOpen = max(mostOpen, len(a.busy))
		if answered(addr) {
			a.decided(addr)
		}
	}
	return probed, at, mostOpen
}

func TestProbeQueueKeepsItsLimits(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	for name, answered := range map[string]func(netip.Addr) bool{
		"no one answers":  func(netip.Addr) bool { return false },
		"everyone does":   func(netip.Addr) bool { return true },
		"half of them do": func(a netip.Addr) bool { return a.As4()[3]%2 == 0 },
	} {
		t.Run(name, func(t *testing.T) {
			a := newProbeQueue()
			want := slices.Collect(sweepable(discovery.Networks{Watched: []discovery.Network{onNetwork("10.0.0.0/22", "10.0.0.1")}}))
			for _, addr := range want {
				a.add(addr, start)
				a.add(addr, start) // once is enough
			}
			probed, at, mostOpen := drain(a, start, time.Minute, answered)
			if diff := cmp.Diff(want, probed, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("probed (-want +got):\n%s", diff)
			}
			if mostOpen > maxOpen {
				t.Errorf("%d open at once", mostOpen)
			}
			if took := at[252].Sub(start); took > 0 {
				t.Errorf("a /24 takes %v", took)
			}
			if took := at[len(at)-1].Sub(start); took > 20*time.Second {
				t.Errorf("a /22 takes %v", took)
			}
		})
	}
}

func TestProbeQueueWaitsBetweenProbesOfOneAddress(t *testing.T) {
	a, start := newProbeQueue(), time.Unix(1_000_000, 0)
	addr := netip.MustParseAddr("10.0.0.7")
	a.add(addr, start.Add(time.Second))
	if got, wait := a.take(start); got.IsValid() || wait != time.Second {
		t.Fatalf("early: %v after %v", got, wait)
	}
	if got, _ := a.take(start.Add(time.Second)); got != addr {
		t.Fatalf("due: %v", got)
	}
	a.decided(addr)
	a.add(addr, start.Add(time.Second))
	if got, wait := a.take(start.Add(time.Second)); got.IsValid() || wait != probeGap {
		t.Errorf("again: %v, wait %v, want %v", got, wait, probeGap)
	}
	a.keep(func(netip.Addr) bool { return false })
	if got, wait := a.take(start.Add(time.Hour)); got.IsValid() || wait != 0 {
		t.Errorf("dropped: %v, %v", got, wait)
	}
}

func TestProbeQueueIsBounded(t *testing.T) {
	a, now := newProbeQueue(), time.Unix(1_000_000, 0)
	addr := netip.MustParseAddr("fd00::1")
	for range 3 * maxQueued {
		a.add(addr, now)
		addr = addr.Next()
	}
	if len(a.queue) != maxQueued || len(a.queued) != maxQueued {
		t.Errorf("%d probes are queued, %d known", len(a.queue), len(a.queued))
	}
	drain(a, now, time.Hour, func(netip.Addr) bool { return false })
	a.forget(now.Add(2 * time.Hour))
	if n := len(a.queue) + len(a.queued) + len(a.open) + len(a.busy); n != 0 {
		t.Errorf("%d entries are left when all is over", n)
	}
}

func TestResolveRefusesForeignAddresses(t *testing.T) {
	for _, addr := range []string{"8.8.8.8", "127.0.0.1", "::1", "0.0.0.0", "255.255.255.255", "224.0.0.251", "ff02::1%lo", "fe80::1", "::ffff:8.8.8.8", "100.64.0.1"} {
		if err := Resolve(t.Context(), netip.MustParseAddr(addr)); err == nil {
			t.Errorf("Resolve(%s) sends", addr)
		}
	}
	if err := Resolve(t.Context(), netip.Addr{}); err == nil {
		t.Error("Resolve of nothing sends")
	}
}
