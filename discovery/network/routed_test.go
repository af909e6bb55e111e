package network

import (
	"net/netip"
	"testing"

	"github.com/thingwarden/thingwarden/discovery"
)

func TestNetworksAreNamedOnce(t *testing.T) {
	w := discovery.Network{Interface: "eth0", Prefix: netip.MustParsePrefix("2001:db8::/64"), Own: netip.MustParseAddr("2001:db8::1")}
	temporary := w
	temporary.Own = netip.MustParseAddr("2001:db8::2")
	got := Describe(discovery.Networks{Watched: []discovery.Network{w, temporary}})
	if want := "Looking at: 2001:db8::/64 on eth0."; got != want {
		t.Errorf("%q, want %q: it is said again at each change", got, want)
	}
}
