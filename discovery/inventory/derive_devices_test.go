package inventory

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

const (
	keyOfRouter = "aa11"
	sharedKey   = "bb22"
)

func (h *routedHome) keys(name string, keys ...string) {
	h.report(name, "http", func(e *fact.Evidence) { fact.TLSKeys.Set(e, keys, "tcp/443: TLS 1.2") })
}

func (h *routedHome) hostname(name, by, hostname string) {
	h.report(name, by, func(e *fact.Evidence) { fact.DeviceHostname.Set(e, hostname, "") })
}

func TestSharedKeys(t *testing.T) {
	const camera, rogue = "00:00:5e:00:53:20", "00:00:5e:00:53:66"
	h := newRoutedHome(t)
	h.want("camera", map[string]any{})

	h.keys("router", keyOfRouter)
	h.keys("camera", sharedKey)
	h.want("camera", map[string]any{"tls.key_shared_with": []string{}})
	h.keys("rogue", keyOfRouter+"00", sharedKey)
	h.want("camera", map[string]any{"tls.key_shared_with": []string{rogue}})
	h.want("rogue", map[string]any{"tls.key_shared_with": []string{camera}})
	h.want("router", map[string]any{"tls.key_shared_with": []string{}})
	n, _ := h.derive("camera").Entry("tls.key_shared_with")
	if want := "public key SHA-256 bb22 also at " + rogue; n.Proof != want {
		t.Errorf("proof %q, want %q", n.Proof, want)
	}

	// All of one model ask for an address with the same name; only by multicast
	// DNS is a name one machine's.
	h.hostname("camera", "neighbours", "IPCamera")
	h.hostname("rogue", "neighbours", "IPCamera")
	h.want("camera", map[string]any{"tls.key_shared_with": []string{rogue}})
	h.hostname("camera", "mdns", "nas.local")
	h.want("camera", map[string]any{"tls.key_shared_with": []string{rogue}})
	h.hostname("rogue", "mdns", "NAS.local")
	h.want("camera", map[string]any{"tls.key_shared_with": []string{}})
	h.hostname("rogue", "mdns", "other.local")
	h.want("camera", map[string]any{"tls.key_shared_with": []string{rogue}})

	h.inv.Forget(h.mac("rogue").ID())
	h.want("camera", map[string]any{"tls.key_shared_with": []string{}})
	h.now = h.now.AddDate(0, 0, 8)
	h.inv.Expire(h.now)
	h.want("camera", map[string]any{"tls.key_shared_with": fact.Stale})
}

// A machine that goes from Wi-Fi to cable comes back with another MAC address.
func TestOneMachineAfterAnotherSharesNoKey(t *testing.T) {
	h := newRoutedHome(t)
	h.keys("camera", sharedKey)
	h.now = h.now.Add(time.Hour)
	cable, _ := discovery.MAC("00005e005321")
	h.inv.Observe(discovery.Observation{By: "neighbours", At: h.now, About: []discovery.Identifier{cable, discovery.IP(netip.MustParseAddr("192.0.2.20"))}})
	e := fact.New("http", h.now)
	fact.TLSKeys.Set(e, []string{sharedKey}, "")
	h.inv.Observe(discovery.Observation{By: "http", At: h.now, About: []discovery.Identifier{cable}, Facts: e})
	h.want("camera", map[string]any{"tls.key_shared_with": []string{}})

	h.report("camera", "neighbours", nil) // it is there again, beside the other
	h.want("camera", map[string]any{"tls.key_shared_with": []string{"00:00:5e:00:53:21"}})
}

func TestConflicts(t *testing.T) {
	const routers, cameras = "192.0.2.1 00:00:5e:00:53:01", "192.0.2.20 00:00:5e:00:53:20"
	h := newRoutedHome(t)
	h.want("rogue", map[string]any{})
	h.disputes("rogue")
	h.want("rogue", map[string]any{"address.conflicts": []string{}})
	h.disputes("rogue", cameras)
	h.want("rogue", map[string]any{"address.conflicts": []string{"192.0.2.20"}})
	h.disputes("rogue", cameras, routers)
	h.want("rogue", map[string]any{"address.conflicts": []string{"192.0.2.20", "192.0.2.1"}})
	h.want("camera", map[string]any{})
	h.want("router", map[string]any{})
	n, _ := h.derive("rogue").Entry("address.conflicts")
	if want := "192.0.2.20 is claimed by 00:00:5e:00:53:20 too; 192.0.2.1, the router's, is claimed by 00:00:5e:00:53:01 too"; n.Proof != want {
		t.Errorf("proof %q, want %q", n.Proof, want)
	}

	h.hostname("camera", "mdns", "nas.local") // two interfaces of one machine
	h.hostname("rogue", "mdns", "nas.local")
	h.want("rogue", map[string]any{"address.conflicts": []string{"192.0.2.1"}})
	h.report("rogue", "neighbours", func(e *fact.Evidence) { fact.AddressDisputed.Unknown(e, fact.SourceDown) })
	h.want("rogue", map[string]any{"address.conflicts": fact.SourceDown})
	h.report("rogue", "neighbours", func(e *fact.Evidence) { fact.AddressDisputed.Set(e, []string{cameras, routers, "?"}, "arp") })
	h.want("rogue", map[string]any{"address.conflicts": fact.Unreadable}) // the word says more than its data
}

// disputes lets a device claim addresses by turns with others; tokens are those of
// address.disputed.
func (h *routedHome) disputes(name string, tokens ...string) {
	h.t.Helper()
	o := discovery.Observation{By: "neighbours", At: h.now, About: []discovery.Identifier{h.mac(name)}, Facts: fact.New("neighbours", h.now), Disputed: []discovery.AddressDispute{}}
	fact.AddressDisputed.Set(o.Facts, tokens, "arp")
	for _, s := range tokens {
		addr, owner, _ := strings.Cut(s, " ")
		mac, ok := discovery.MAC(owner)
		if !ok {
			h.t.Fatalf("bad MAC %q", owner)
		}
		o.Disputed = append(o.Disputed, discovery.AddressDispute{Addr: netip.MustParseAddr(addr), Owner: mac})
	}
	h.inv.Observe(o)
}

// Threat T12: what may be by design is muted, and never for the router's address:
// an attacker can give himself any name and any hardware address.
func TestConflictsThatMayBe(t *testing.T) {
	const routers, cameras = "192.0.2.1 00:00:5e:00:53:01", "192.0.2.20 00:00:5e:00:53:20"
	name := func(h *routedHome, who, addr, by, name string) {
		e := fact.New(by, h.now)
		fact.DeviceHostname.Set(e, name, "")
		h.inv.Observe(discovery.Observation{By: by, At: h.now, About: []discovery.Identifier{discovery.IP(netip.MustParseAddr(addr))}, Facts: e})
	}
	t.Run("one name by DHCP", func(t *testing.T) {
		h := newRoutedHome(t)
		for _, who := range []string{"camera", "rogue", "router"} {
			h.hostname(who, "neighbours", "nas")
		}
		h.disputes("rogue", cameras, routers)
		h.want("rogue", map[string]any{"address.conflicts": []string{"192.0.2.1"}})
	})
	t.Run("names heard from a disputed address", func(t *testing.T) {
		h := newRoutedHome(t)
		name(h, "camera", "192.0.2.20", "mdns", "nas.local")
		// The rogue takes the camera's address: its packets are taken for the rogue's.
		h.inv.Observe(discovery.Observation{By: "neighbours", At: h.now, About: []discovery.Identifier{h.mac("rogue"), discovery.IP(netip.MustParseAddr("192.0.2.20"))}})
		h.disputes("rogue", cameras)
		name(h, "rogue", "192.0.2.20", "mdns", "nas.local")
		h.want("rogue", map[string]any{"address.conflicts": []string{"192.0.2.20"}})
	})
	for mac, want := range map[string]bool{"00:00:5e:00:01:07": true, "00:00:0c:9f:f1:23": true, "00:00:5e:00:53:01": false, "00:00:0c:9f:01:02": false} {
		if isShared(mac) != want {
			t.Errorf("isShared(%s) = %v", mac, !want)
		}
	}
}

// Who took the router's address once, while the router is there, is not believed
// about others, nor is the router until that is over.
func TestWhoTookTheRoutersAddressSaysNothingOfOthers(t *testing.T) {
	h := newRoutedHome(t)
	h.mappings("router", cameraMapping)
	h.report("rogue", "neighbours", func(e *fact.Evidence) { fact.AddressTaken.Set(e, []string{"192.0.2.1"}, "arp") })
	h.want("camera", map[string]any{})
	h.report("rogue", "neighbours", func(e *fact.Evidence) { fact.AddressTaken.Set(e, nil, "arp") })
	h.want("camera", map[string]any{"wan.open_ports": []string{"tcp/8443>443"}, "wan.open_tcp": []string{"443", "8443"}})
}

// Threat T12: who takes the router's address from it, by turns, is not believed
// about others.
func TestWhoDisputesTheRoutersAddressSaysNothingOfOthers(t *testing.T) {
	h := newRoutedHome(t)
	h.inv.Observe(discovery.Observation{By: "neighbours", At: h.now, About: []discovery.Identifier{h.mac("rogue"), discovery.IP(netip.MustParseAddr("192.0.2.1"))}})
	h.mappings("rogue", cameraMapping)
	open := map[string]any{"wan.open_ports": []string{"tcp/8443>443"}, "wan.open_tcp": []string{"443", "8443"}}
	h.want("camera", open) // it has the router's address, for all we know

	h.disputes("rogue", "192.0.2.1 00:00:5e:00:53:01")
	h.want("camera", map[string]any{"wan.open_ports": fact.NotReported, "wan.open_tcp": fact.NotReported})
}

func TestCounts(t *testing.T) {
	device := func(kind, class string, appeared, trusted bool) *fact.Evidence {
		e := fact.New("test", noon)
		fact.DeviceKind.Set(e, kind, "")
		fact.DeviceClass.Set(e, class, "")
		fact.DeviceAppeared.Set(e, appeared, "")
		fact.DeviceTrusted.Set(e, trusted, "")
		return e
	}
	got := map[string]any{}
	for _, n := range Derive(map[discovery.ID]*fact.Evidence{
		discovery.Hub: device("hub", "hub", false, false), "a": device("lan", "camera", true, false), "b": device("lan", "plug", true, true),
		"c": device("lan", "light", false, false), "d": device("zigbee", "light", true, false), "e": device("zwave", "lock", false, true),
		"f": fact.New("test", noon),
	}, noon).Facts.Entries() {
		if n.Known() {
			got[n.Name] = n.Value
		}
	}
	want := map[string]any{
		"home.devices": int64(6), "home.untrusted_devices": int64(2), "home.radio_devices": int64(2),
		"home.ip_devices": int64(3), "home.ip_things": int64(2),
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
