package mdns

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/inventory"
)

// homeOf is an inventory that receives what the browser reports and what a test
// reports about addresses.
type homeOf struct {
	t   *testing.T
	a   *wire
	inv *inventory.Inventory
}

// moves reports that the device with that MAC address has these addresses now.
func (h *homeOf) moves(mac string, addrs ...string) {
	h.t.Helper()
	h.hear()
	id, ok := discovery.MAC(mac)
	if !ok {
		h.t.Fatalf("MAC address %q", mac)
	}
	o := discovery.Observation{By: "neighbours", At: time.Now(), About: []discovery.Identifier{id}}
	h.a.mu.Lock()
	defer h.a.mu.Unlock()
	h.a.owners = maps.Clone(h.a.owners)
	if h.a.owners == nil {
		h.a.owners = map[netip.Addr]discovery.Identifier{}
	}
	for _, s := range addrs {
		addr := netip.MustParseAddr(s)
		o.About = append(o.About, discovery.IP(addr))
		h.a.owners[addr] = id
	}
	h.inv.Observe(o)
}

// hear passes what the browser has reported to the inventory.
func (h *homeOf) hear() {
	h.a.mu.Lock()
	defer h.a.mu.Unlock()
	for _, o := range h.a.seen {
		o.By, o.At = name, time.Now()
		h.inv.Observe(o)
	}
	h.a.seen = nil
}

// look makes the browser compare the owners, as it does every two seconds.
func (h *homeOf) look() {
	h.a.in.links <- links(home)
	h.a.pass(2 * time.Second)
}

// known returns what multicast DNS reports of a device, and of HomeKit on it.
func (h *homeOf) known(mac string) string {
	h.t.Helper()
	h.hear()
	id, _ := discovery.MAC(mac)
	dev, ok := h.inv.Find(id)
	if !ok {
		return "not there"
	}
	e := h.inv.Evidence(dev, time.Now())
	types, _ := fact.MDNSServices.Get(e)
	out := strings.Join(types, " ")
	if paired, known := fact.HomeKitAnnounced.Get(e); known && !paired {
		out += " unpaired"
	}
	return out
}

// Threat T12, without an attacker: an address passes from one device to another
// while what the first one announced there is still alive.
func TestAddressChangesHands(t *testing.T) {
	const plugMAC, cameraMAC = "00:00:5e:00:53:01", "00:00:5e:00:53:02"
	camera := []string{
		`_http._tcp.local. 4500 IN PTR Camera._http._tcp.local.`,
		`!Camera._http._tcp.local. 4500 IN SRV 0 0 80 camera.local.`,
		`!Camera._http._tcp.local. 4500 IN TXT ""`,
		`!camera.local. 4500 IN A 10.0.0.5`,
	}
	plugAt := func(addr string) []string { return append(plug(4500, "1")[:3:3], "!plug.local. 4500 IN A "+addr) }
	for _, tt := range []struct {
		name               string
		then               func(h *homeOf)
		wantPlug, wantCame string
	}{
		{"the new owner is silent", func(h *homeOf) {
			h.moves(cameraMAC, "10.0.0.5")
			h.look()
		}, "", ""},
		{"it speaks before it is known that it has the address", func(h *homeOf) {
			h.a.send("10.0.0.5", camera...)
			h.a.pass(time.Second)
			h.moves(cameraMAC, "10.0.0.5")
			h.look()
			h.a.send("10.0.0.5", camera...) // it is queried
			h.a.pass(time.Second)
		}, "", "_http._tcp"},
		{"it speaks after that", func(h *homeOf) {
			h.moves(cameraMAC, "10.0.0.5")
			h.look()
			h.a.send("10.0.0.5", camera...)
			h.a.pass(time.Second)
		}, "", "_http._tcp"},
		{"the old owner speaks elsewhere already", func(h *homeOf) {
			h.moves(plugMAC, "10.0.0.9")
			h.a.send("10.0.0.9", plugAt("10.0.0.9")...)
			h.look()
			h.a.send("10.0.0.5", camera...)
			h.a.pass(time.Second)
			h.moves(cameraMAC, "10.0.0.5")
			h.look()
			h.a.send("10.0.0.5", camera...)
			h.a.pass(time.Second)
		}, "_hap._tcp unpaired", "_http._tcp"},
		{"the same owner", func(h *homeOf) {
			h.moves(plugMAC, "10.0.0.5")
			h.look()
		}, "_hap._tcp unpaired", "not there"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, a *wire) {
				h := &homeOf{t, a, inventory.New(func() discovery.Networks { return home }, []discovery.SourceKind{Kind}, func(discovery.ID) bool { return true }, time.Now())}
				h.moves(plugMAC, "10.0.0.5")
				a.send("10.0.0.5", plugAt("10.0.0.5")...)
				h.look()
				if got := h.known(plugMAC); got != "_hap._tcp unpaired" {
					t.Fatalf("known of the plug: %q", got)
				}
				tt.then(h)
				a.pass(61 * time.Minute) // everything is reported anew, and records still live
				if diff := cmp.Diff([]string{tt.wantPlug, tt.wantCame}, []string{h.known(plugMAC), h.known(cameraMAC)}); diff != "" {
					t.Errorf("known of the plug and of the camera (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Who fakes that addresses change hands does not make the hub flood the link.
func TestChangesOfHandsCostLittle(t *testing.T) {
	bubble(t, func(t *testing.T, a *wire) {
		h := &homeOf{t, a, inventory.New(func() discovery.Networks { return home }, []discovery.SourceKind{Kind}, func(discovery.ID) bool { return true }, time.Now())}
		a.pass(time.Minute)
		before := time.Now()
		for i := range 60 {
			h.moves([]string{"00:00:5e:00:53:01", "00:00:5e:00:53:02"}[i%2], "10.0.0.5")
			a.send("10.0.0.5", plug(4500, "1")...)
			h.look()
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		n := len(slices.DeleteFunc(slices.Clone(a.queries), func(q sent) bool { return q.at.Before(before) }))
		if n > 120 { // in two minutes
			t.Errorf("%d queries in %v", n, time.Since(before))
		}
		t.Logf("%d queries in %v", n, time.Since(before))
	})
}
