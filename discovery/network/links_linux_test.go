package network_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/lab"
	"github.com/thingwarden/thingwarden/discovery/network"
)

func lookOnHub(t *testing.T, l *lab.Lab, prefixes ...netip.Prefix) (n discovery.Networks) {
	t.Helper()
	var err error
	l.Hub().Do(func() { n, err = network.Look(prefixes) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A real kernel must tell its links apart.
func TestLookOnRealLinks(t *testing.T) {
	l := lab.New(t)
	l.Host("cam")
	hub := l.Hub()
	for _, args := range []string{
		"link add br7 type bridge", "addr add 192.168.7.1/24 dev br7", "link set br7 up",
		"link add mv0 link lan0 type macvlan mode bridge", "addr add 192.168.8.1/24 dev mv0", "link set mv0 up",

		"tuntap add tap9 mode tap", "addr add 192.168.9.1/24 dev tap9", "link set tap9 up",
	} {
		hub.Run(t, "ip", strings.Fields(args)...)
	}
	got := lookOnHub(t, l)
	for a, want := range map[string]string{"192.168.8.7": "mv0", "192.168.7.7": "", "192.168.9.7": "", "10.99.0.7": ""} {
		if w, ok := got.OnLink(netip.MustParseAddr(a)); ok != (want != "") || w.Interface != want {
			t.Errorf("OnLink(%s) = %+v, %v; want %q", a, w, ok, want)
		}
	}
	for _, name := range []string{"br7", "tap9", "lan0"} {
		found := false
		for _, s := range got.Skipped {
			found = found || s.Interface == name && s.Reason != ""
		}
		if !found {
			t.Errorf("%s is not among the skipped ones %v", name, got.Skipped)
		}
	}

	lan := netip.MustParsePrefix("10.99.0.0/24")
	if w, ok := lookOnHub(t, l, lan).OnLink(netip.MustParseAddr("10.99.0.7")); !ok || w.Interface != "lan0" || w.Own != hub.IP() {
		t.Errorf("named veth: OnLink = %+v, %v", w, ok)
	}
	if n := lookOnHub(t, l, lan); len(n.Watched) != 3 { // IPv4, unique local, link-local
		t.Errorf("named veth: looked at %v", n.Watched)
	}
	hub.LinkDown()
	lab.WaitFor(t, 2e9, "a link without carrier is skipped", func() bool { return len(lookOnHub(t, l, lan).Watched) == 0 })
	hub.LinkUp()
	lab.WaitFor(t, 2e9, "a link with carrier is looked at", func() bool { return len(lookOnHub(t, l, lan).Watched) > 0 })
}
