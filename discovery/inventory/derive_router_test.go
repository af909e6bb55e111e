package inventory

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// routedHome is a home with a router, a camera and a rogue device that claims to
// be a router too.
type routedHome struct {
	t        *testing.T
	inv      *Inventory
	networks discovery.Networks
	now      time.Time
}

var routedAddrs = map[string]string{"router": "192.0.2.1", "camera": "192.0.2.20", "rogue": "192.0.2.66"}

func newRoutedHome(t *testing.T) *routedHome {
	h := &routedHome{t: t, now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), networks: discovery.Networks{
		Watched: []discovery.Network{
			{Interface: "lan0", Prefix: netip.MustParsePrefix("192.0.2.0/24"), Own: netip.MustParseAddr("192.0.2.2")},
			{Interface: "lan0", Prefix: netip.MustParsePrefix("2001:db8::/64"), Own: netip.MustParseAddr("2001:db8::2")},
		},
		Gateways: []netip.Addr{netip.MustParseAddr("192.0.2.1")},
	}}
	h.inv = New(func() discovery.Networks { return h.networks }, testSources, func(discovery.ID) bool { return false }, h.now)
	for name := range routedAddrs {
		h.report(name, "neighbours", nil)
	}
	return h
}

func (h *routedHome) mac(name string) discovery.Identifier {
	id, ok := discovery.MAC("00005e0053" + map[string]string{"router": "01", "camera": "20", "rogue": "66"}[name])
	if !ok {
		h.t.Fatalf("no MAC of %q", name)
	}
	return id
}

func (h *routedHome) report(name, by string, set func(*fact.Evidence)) {
	o := discovery.Observation{By: by, At: h.now, About: []discovery.Identifier{h.mac(name)}, Facts: fact.New(by, h.now)}
	if by == "neighbours" {
		o.About = append(o.About, discovery.IP(netip.MustParseAddr(routedAddrs[name])))
	}
	if set != nil {
		set(o.Facts)
	}
	h.inv.Observe(o)
}

// mappings lets a device say that these are all of its port mappings.
func (h *routedHome) mappings(name string, tokens ...string) {
	h.list(name, tokens, func(e *fact.Evidence) { fact.WANMappingsComplete.Set(e, true, "igd") })
}

// list lets a device say which port mappings it has; tokens are those of wan.port_mappings.
func (h *routedHome) list(name string, tokens []string, set func(*fact.Evidence)) {
	h.t.Helper()
	e := fact.New("igd", h.now)
	fact.WANPortMappings.Set(e, tokens, "igd")
	set(e)
	o := discovery.Observation{By: "igd", At: h.now, About: []discovery.Identifier{h.mac(name)}, Facts: e, PortMappings: []discovery.PortMapping{}}
	for _, s := range tokens {
		client, ports, _ := strings.Cut(s, " ")
		var m discovery.PortMapping
		if n, err := fmt.Sscanf(strings.NewReplacer("/", " ", ">", " ").Replace(ports), "%s %d %d", &m.Proto, &m.External, &m.Internal); n != 3 {
			h.t.Fatalf("%q: %v", s, err)
		}
		m.Client = netip.MustParseAddr(client)
		o.PortMappings = append(o.PortMappings, m)
	}
	h.inv.Observe(o)
}

// derive derives until nothing is new, which must be at once, and returns what
// is known of a device then.
func (h *routedHome) derive(name string) *fact.Evidence {
	h.t.Helper()
	all := func() map[discovery.ID]*fact.Evidence {
		out := map[discovery.ID]*fact.Evidence{}
		for _, id := range h.inv.IDs() {
			out[id] = h.inv.Evidence(id, h.now)
		}
		return out
	}
	for _, o := range h.inv.DeriveDevices(all(), h.now) {
		h.inv.Observe(o)
	}
	if again := h.inv.DeriveDevices(all(), h.now); len(again) > 0 {
		h.t.Errorf("derived again though nothing has changed: %v", again)
	}
	if name == "hub" {
		return all()[discovery.Hub]
	}
	return all()[h.mac(name).ID()]
}

func (h *routedHome) want(name string, want map[string]any) {
	h.t.Helper()
	got := map[string]any{}
	for _, n := range h.derive(name).Entries() {
		if n.By == derived && n.Known() {
			got[n.Name] = n.Value
		} else if n.By == derived {
			got[n.Name] = n.Why
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		h.t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

const (
	cameraMapping = "192.0.2.20 tcp/8443>443"
	unusedMapping = "192.0.2.77 udp/9>9"
)

func TestPortMappingsStandOnTheDeviceTheyLeadTo(t *testing.T) {
	h := newRoutedHome(t)
	h.mappings("router", cameraMapping, "192.0.2.20 udp/50>60", unusedMapping, "192.0.2.2 tcp/8123>8123")
	h.want("camera", map[string]any{
		"wan.open_ports": []string{"tcp/8443>443", "udp/50>60"},
		"wan.open_tcp":   []string{"443", "8443"},
	})
	h.want("hub", map[string]any{"wan.open_ports": []string{"tcp/8123>8123"}, "wan.open_tcp": []string{"8123"}})
	h.want("rogue", map[string]any{})
	if n := len(h.inv.IDs()); n != 4 {
		t.Errorf("%d devices: a port mapping to no device made one", n)
	}

	h.mappings("router", unusedMapping) // the one to the camera was removed
	h.want("camera", map[string]any{"wan.open_ports": []string{}, "wan.open_tcp": []string{}})

	h.mappings("router", cameraMapping)
	h.report("router", "igd", nil)
	h.now = h.now.Add(25 * time.Hour)
	h.inv.Expire(h.now)
	h.want("camera", map[string]any{"wan.open_ports": fact.Stale, "wan.open_tcp": fact.Stale})
}

func TestPortMappingsFollowTheAddress(t *testing.T) {
	h := newRoutedHome(t)
	h.mappings("router", cameraMapping)
	h.want("camera", map[string]any{"wan.open_ports": []string{"tcp/8443>443"}, "wan.open_tcp": []string{"443", "8443"}})
	h.inv.Observe(discovery.Observation{By: "neighbours", At: h.now, About: []discovery.Identifier{h.mac("rogue"), discovery.IP(netip.MustParseAddr("192.0.2.20"))}})
	h.want("camera", map[string]any{"wan.open_ports": []string{}, "wan.open_tcp": []string{}})
	h.want("rogue", map[string]any{"wan.open_ports": []string{"tcp/8443>443"}, "wan.open_tcp": []string{"443", "8443"}})
}

// Threat T12: only the device by which the hub itself reaches the Internet is
// believed about others.
func TestFalseRouterSaysNothingOfOthers(t *testing.T) {
	h := newRoutedHome(t)
	h.mappings("rogue", "192.0.2.20 tcp/23>23")
	h.report("rogue", "igd", func(e *fact.Evidence) { fact.IPv6FirewallOn.Set(e, false, "igd") })
	h.want("camera", map[string]any{})
	h.want("router", map[string]any{})
	h.want("rogue", map[string]any{})

	h.mappings("router", cameraMapping)
	h.mappings("rogue")
	h.want("camera", map[string]any{"wan.open_ports": []string{"tcp/8443>443"}, "wan.open_tcp": []string{"443", "8443"}})
}

// A list that is not whole shows what is in it, and of no other device that
// nothing leads to it.
func TestListThatIsNotWhole(t *testing.T) {
	h := newRoutedHome(t)
	upnp := func(tokens ...string) {
		h.list("router", tokens, func(e *fact.Evidence) {
			fact.IGDLocation.Set(e, "http://192.0.2.1:5000/", "")
			fact.WANMappingsComplete.Unknown(e, fact.Unreadable)
		})
	}
	unknown := map[string]any{"wan.open_ports": fact.Unreadable, "wan.open_tcp": fact.Unreadable}
	upnp(cameraMapping)
	h.want("camera", map[string]any{"wan.open_ports": []string{"tcp/8443>443"}, "wan.open_tcp": []string{"443", "8443"}})
	h.want("rogue", unknown)
	h.want("router", map[string]any{"wan.port_mappings_stale": fact.Unreadable})
	upnp()
	h.want("camera", unknown)
	h.mappings("router")
	h.want("camera", map[string]any{"wan.open_ports": []string{}, "wan.open_tcp": []string{}})
	h.want("router", map[string]any{"wan.port_mappings_stale": []string{}})

	h.report("router", "igd", func(e *fact.Evidence) { fact.IGDOn.Set(e, false, "refused") })
	h.report("router", "igd", func(e *fact.Evidence) { fact.WANMappingsComplete.Unknown(e, fact.NoAnswer) })
	h.want("rogue", map[string]any{"wan.open_ports": []string{}, "wan.open_tcp": []string{}})
}

// A word without the data behind it shows of no device that nothing leads to it.
func TestPortMappingsWithoutData(t *testing.T) {
	h := newRoutedHome(t)
	h.mappings("router", cameraMapping)
	h.report("router", "igd", func(e *fact.Evidence) { fact.WANPortMappings.Set(e, []string{cameraMapping, unusedMapping}, "igd") })
	h.want("camera", map[string]any{"wan.open_ports": []string{"tcp/8443>443"}, "wan.open_tcp": []string{"443", "8443"}})
	h.want("router", map[string]any{"wan.port_mappings_stale": fact.Unreadable})
}

// In a container the kernel's routes do not lead to the home's router.
func TestTheOwnerSaysWhichIsTheRouter(t *testing.T) {
	h := newRoutedHome(t)
	h.networks.Gateways = nil
	isRouter := func(e *fact.Evidence) { fact.DeviceClass.Set(e, "router", "") }
	h.report("rogue", "upnp", isRouter)
	h.mappings("rogue", "192.0.2.20 tcp/23>23")
	h.mappings("router", cameraMapping)
	h.want("camera", map[string]any{})
	h.report("router", "static", isRouter)
	open := map[string]any{"wan.open_ports": []string{"tcp/8443>443"}, "wan.open_tcp": []string{"443", "8443"}}
	h.want("camera", open)

	h.report("rogue", "static", isRouter) // a second box of the owner's, that is not the way out
	h.networks.Gateways = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	h.want("camera", open)
}

func TestPortMappingsToNoDevice(t *testing.T) {
	h := newRoutedHome(t)
	h.mappings("router", cameraMapping, unusedMapping, "198.51.100.7 tcp/1>1")
	h.want("router", map[string]any{"wan.port_mappings_stale": []string{}}) // the home has just become known

	h.now = h.now.Add(staleAfter)
	h.report("camera", "neighbours", nil)
	h.mappings("router", cameraMapping, unusedMapping, "198.51.100.7 tcp/1>1")
	h.want("router", map[string]any{"wan.port_mappings_stale": []string{unusedMapping}})

	h.now = h.now.Add(staleAfter) // nobody has seen the camera since
	h.mappings("router", cameraMapping, unusedMapping)
	h.want("router", map[string]any{"wan.port_mappings_stale": []string{cameraMapping, unusedMapping}})

	h.report("camera", "neighbours", func(e *fact.Evidence) { fact.DeviceOnline.Set(e, true, "") })
	h.want("router", map[string]any{"wan.port_mappings_stale": []string{unusedMapping}})
}

func TestIPv6Unguarded(t *testing.T) {
	h := newRoutedHome(t)
	h.inv.Observe(discovery.Observation{By: "neighbours", At: h.now, About: []discovery.Identifier{h.mac("camera"), discovery.IP(netip.MustParseAddr("2001:db8::20"))}})
	h.want("camera", map[string]any{})
	firewall := func(on bool) {
		h.report("router", "igd", func(e *fact.Evidence) { fact.IPv6FirewallOn.Set(e, on, "FirewallEnabled") })
	}
	firewall(false)
	h.want("camera", map[string]any{"ipv6.unguarded": true})
	h.want("rogue", map[string]any{})
	firewall(true)
	h.want("camera", map[string]any{"ipv6.unguarded": false})
	h.now = h.now.Add(8 * 24 * time.Hour)
	h.inv.Expire(h.now)
	h.want("camera", map[string]any{"ipv6.unguarded": fact.NotReported})
}

func TestAddressWords(t *testing.T) {
	h := newRoutedHome(t)
	h.inv.Observe(discovery.Observation{By: "mdns", At: h.now, About: []discovery.Identifier{h.mac("rogue"), discovery.Claimed(netip.MustParseAddr("2001:db8::66"))}})
	h.inv.Observe(discovery.Observation{By: "neighbours", At: h.now, About: []discovery.Identifier{h.mac("camera"), discovery.IP(netip.MustParseAddr("2001:db8::20")), discovery.IP(netip.MustParseAddr("2001:db8::21"))}})
	get := func(name, word string) any {
		n, _ := h.inv.Evidence(h.mac(name).ID(), h.now).Entry(word)
		return n.Value
	}
	for _, tt := range []struct {
		name, word string
		want       any
	}{
		{"router", "wan.gateway", true}, {"camera", "wan.gateway", nil}, {"rogue", "wan.gateway", nil},
		{"camera", "ipv6.global", true}, {"router", "ipv6.global", false}, {"rogue", "ipv6.global", false},
	} {
		if got := get(tt.name, tt.word); got != tt.want {
			t.Errorf("%s of %s = %v, want %v", tt.word, tt.name, got, tt.want)
		}
	}
	h.networks.Watched = h.networks.Watched[:1]
	if got := get("router", "ipv6.global"); got != nil {
		t.Errorf("ipv6.global = %v in a home without IPv6", got)
	}
}
