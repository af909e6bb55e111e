package agent

import (
	"net/netip"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
)

func TestBlind(t *testing.T) {
	restarted := func(h *home) { h.see(1, nil); h.wait(time.Hour); h.restart() }
	for _, tt := range []struct {
		name string
		do   func(h *home)
		want bool
	}{
		{"nothing answers", func(*home) {}, true},
		{"a device answers", func(h *home) { h.see(1, nil) }, false},
		{"known from an earlier run only", restarted, true},
		{"known, and seen again", func(h *home) { restarted(h); h.see(1, telnet(false)) }, false},
		{"only in the configuration", func(h *home) {
			mac, _ := discovery.MAC("000c43000001")
			h.observe(discovery.Observation{By: "static", At: h.now, About: []discovery.Identifier{mac}, Quiet: true}, h.now)
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t, 24*time.Hour)
			tt.do(h)
			h.wait(firstSight)
			a := &Agent{networks: h.o.networks}
			if got := a.blind(h.core, h.now); (got != "") != tt.want {
				t.Errorf("blind: %q, want %v", got, tt.want)
			}
		})
	}
}

func TestNetworksAreNamedOnce(t *testing.T) {
	w := discovery.Network{Interface: "eth0", Prefix: netip.MustParsePrefix("2001:db8::/64"), Own: netip.MustParseAddr("2001:db8::1")}
	temporary := w
	temporary.Own = netip.MustParseAddr("2001:db8::2")
	got := describeNetworks(discovery.Networks{Looked: []discovery.Network{w, temporary}})
	if want := "Looking at: 2001:db8::/64 on eth0."; got != want {
		t.Errorf("%q, want %q: it is said again at each change", got, want)
	}
}
