package inventory

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Devices behind an extender share its hardware address, and are devices of their
// own.
func TestParts(t *testing.T) {
	h := newRoutedHome(t)
	mac := h.mac("camera")
	at := func(s string) discovery.Identifier { return discovery.IP(netip.MustParseAddr(s)) }
	kernel := func(online bool, addrs ...string) {
		e := fact.New("neighbours", h.now)
		fact.DeviceOnline.Set(e, online, "")
		o := discovery.Observation{By: "neighbours", At: h.now, About: []discovery.Identifier{mac}, Facts: e, Name: "extender"}
		for _, a := range addrs {
			o.About = append(o.About, at(a))
		}
		h.inv.Observe(o)
	}
	report := func(addr, host string) {
		e := fact.New("mdns", h.now)
		fact.DeviceHostname.Set(e, host, "")
		h.inv.Observe(discovery.Observation{By: "mdns", At: h.now, About: []discovery.Identifier{at(addr)}, Facts: e})
	}
	apart := func(product string, addrs ...string) discovery.ID {
		x := discovery.Apart{ID: discovery.Part(mac, product)}
		for _, a := range addrs {
			x.Addrs = append(x.Addrs, netip.MustParseAddr(a))
		}
		h.inv.Observe(discovery.Observation{By: "prober", At: h.now, About: []discovery.Identifier{mac}, Apart: []discovery.Apart{x}, Quiet: true})
		return x.ID.ID()
	}
	addrs := func(id discovery.ID) (out []string) {
		d, _ := h.inv.Device(id)
		for _, a := range d.Addrs() {
			out = append(out, a.String())
		}
		return out
	}
	want := func(what string, id discovery.ID, want ...string) {
		t.Helper()
		if d := cmp.Diff(want, addrs(id)); d != "" {
			t.Errorf("%s: addresses of %s (-want +got):\n%s", what, id, d)
		}
	}
	base := mac.ID()
	kernel(true, "192.0.2.20", "192.0.2.31", "192.0.2.32")
	report("192.0.2.31", "cam")
	part := apart("554", "192.0.2.31")
	want("apart", base, "192.0.2.20", "192.0.2.32")
	want("apart", part, "192.0.2.31")
	if host, _ := fact.DeviceHostname.Get(h.inv.Evidence(base, h.now)); host != "" {
		t.Errorf("the extender is still called %q", host)
	}
	kernel(true, "192.0.2.20", "192.0.2.31", "192.0.2.32")
	want("the kernel's word changes nothing", part, "192.0.2.31")
	report("192.0.2.31", "cam")
	e := h.inv.Evidence(part, h.now)
	host, _ := fact.DeviceHostname.Get(e)
	if online, _ := fact.DeviceOnline.Get(e); host != "cam" || !online {
		t.Errorf("host %q, online %v, want cam, there", host, online)
	}
	kernel(false)
	if online, known := fact.DeviceOnline.Get(h.inv.Evidence(part, h.now)); online || !known {
		t.Error("the device is there while the extender is away")
	}
	if other := apart("80 shelly", "192.0.2.32"); other == part {
		t.Errorf("two products have one id: %s", other)
	}
	another := apart("80 lighttpd", "192.0.2.31") // not by the extender any more
	want("what the extender does not have is not given away", another)
	if d, ok := h.inv.Device(part); !ok || d.Name == "extender" {
		t.Errorf("the device behind has the name of the extender: %+v", d)
	}

	// A registry that knows which device is where says so of claimed addresses.
	entry := discovery.Part(mac, "entry 1")
	h.inv.Observe(discovery.Observation{By: "homeassistant", At: h.now, About: []discovery.Identifier{entry, discovery.Claimed(netip.MustParseAddr("192.0.2.31"))}})
	want("an entry of its own", entry.ID(), "192.0.2.31")
	if _, ok := h.inv.Device(part); ok {
		t.Error("what has no address left is still there")
	}
	stranger, _ := discovery.MAC("00:00:5e:00:53:99")
	h.inv.Observe(discovery.Observation{By: "homeassistant", At: h.now, About: []discovery.Identifier{discovery.Part(stranger, "x"), discovery.Claimed(netip.MustParseAddr("192.0.2.31"))}})
	want("another MAC's entry takes nothing", entry.ID(), "192.0.2.31")
}

func TestPartsAreBounded(t *testing.T) {
	h := newRoutedHome(t)
	mac := h.mac("camera")
	for n := range 3 * maxParts {
		a := netip.AddrFrom4([4]byte{192, 0, 2, byte(100 + n)})
		h.inv.Observe(discovery.Observation{By: "neighbours", At: h.now, About: []discovery.Identifier{mac, discovery.IP(a)}})
		h.inv.Observe(discovery.Observation{By: "prober", At: h.now, About: []discovery.Identifier{mac}, Apart: []discovery.Apart{{ID: discovery.Part(mac, a.String()), Addrs: []netip.Addr{a}}}})
	}
	if n := len(h.inv.parts(mac)); n > maxParts {
		t.Errorf("%d devices share an address, want at most %d", n, maxParts)
	}
}
