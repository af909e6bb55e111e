package protocol_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/lab"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
	"github.com/thingwarden/thingwarden/discovery/protocol/igd"
	"github.com/thingwarden/thingwarden/discovery/protocol/natpmp"
	"github.com/thingwarden/thingwarden/discovery/protocol/upnp"
)

// observeRouter runs a probe on the hub of a lab against a router, and compares what
// was counted with what its network saw.
func observeRouter(t *testing.T, l *lab.Lab, h *lab.Host, p *prober.Probe, set func(*fact.Evidence)) string {
	t.Helper()
	seen := h.Capture(t)
	mac, _ := discovery.MAC(h.MAC().String())
	d := discovery.Device{ID: discovery.ID("mac_" + mac.Value), IDs: []discovery.Identifier{mac, discovery.IP(h.IP())}}
	known := fact.New("test", probertest.Today)
	set(known)
	dial := func(dial prober.DialFunc) prober.DialFunc {
		return func(ctx context.Context, to netip.AddrPort) (c net.Conn, err error) {
			l.Hub().Do(func() { c, err = dial(ctx, to) })
			return c, err
		}
	}
	got := probertest.Observe(probertest.Question{
		Probe: p, Device: d, Known: known, LAN: lab.LAN0.IPv4, Touch: prober.Read, Dial: dial(prober.NetDial), DialUDP: dial(prober.NetDialUDP),
	})
	datagrams := func() int {
		return len(seen.Frames(func(f lab.Frame) bool { return f.Proto == unix.IPPROTO_UDP && f.To == h.IP() }))
	}
	counted := func(what string) int {
		n, _ := strconv.Atoi(strings.TrimPrefix(regexp.MustCompile(what+` \d+`).FindString(got), what+" "))
		return n
	}
	lab.WaitFor(t, 20*time.Second, "what was sent on the wire", func() bool {
		return seen.Connections() >= counted("connections") && datagrams() >= counted("datagrams")
	})
	if on := seen.Connections(); on != counted("connections") {
		t.Errorf("%d connections on the wire, %d counted", on, counted("connections"))
	}
	if on := datagrams(); on != counted("datagrams") {
		t.Errorf("%d datagrams on the wire, %d counted", on, counted("datagrams"))
	}
	return got
}

func TestRouterInTheLab(t *testing.T) {
	for _, tt := range []struct {
		name    string
		lines   []string
		service string
	}{
		{"IGD 2", nil, "WANIPConnection:2"},
		{"IGD 1", []string{"force_igd_desc_v1=yes"}, "WANIPConnection:1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := lab.New(t)
			router, cam := l.Host("router"), l.Host("cam")
			daemon := router.Miniupnpd(t, "9.9.9.9/24", tt.lines...)
			observe := func() string {
				return observeRouter(t, l, router, igd.Probe, func(e *fact.Evidence) { fact.IGDLocation.Set(e, daemon.Location(), "") })
			}
			daemon.Map(t, cam, "TCP", 8443, 443, `Camera "web" <b>{{ 1 }}`)
			daemon.Map(t, cam, "UDP", 51820, 51820, "wg")
			got := observe()
			want := fmt.Sprintf(`igd.on = true | %s: AddPortMapping
wan.mappings_complete = true | GetGenericPortMappingEntry: 2
wan.nested = false | GetExternalIPAddress: a public address
wan.port_mappings = [%s tcp/8443>443 %[2]s udp/51820>51820] | GetGenericPortMappingEntry: 2
port mapping %[2]s tcp/8443>443, leased, "Camera \"web\" <b>{{ 1 }}"
port mapping %[2]s udp/51820>51820, leased, "wg"
`, tt.service, cam.IP()) // it makes a week of a lease without end
			if diff := cmp.Diff(want, without(got, "ipv6.", "connections ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if tt.service == "WANIPConnection:2" && !strings.Contains(got, "ipv6.firewall_on = true") {
				t.Errorf("no word on the IPv6 firewall:\n%s", got)
			}
			daemon.Unmap(t, cam, "TCP", 8443)
			daemon.Unmap(t, cam, "UDP", 51820)
			if got := observe(); !strings.Contains(got, "wan.port_mappings = [] | ") {
				t.Errorf("after the mappings were removed:\n%s", got)
			}
			daemon.Stop()
			if got := observe(); !strings.Contains(got, "igd.on = false | "+daemon.Location()+" refused\n") {
				t.Errorf("after UPnP was switched off:\n%s", got)
			}
		})
	}
}

func without(text string, prefixes ...string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		skip := false
		for _, p := range prefixes {
			skip = skip || strings.HasPrefix(line, p)
		}
		if !skip {
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestNATPMPInTheLab(t *testing.T) {
	l := lab.New(t)
	router, plain := l.Host("router"), l.Host("plain")
	router.Miniupnpd(t, "9.9.9.9/24")
	gateway := func(e *fact.Evidence) { fact.WANGateway.Set(e, true, "") }
	for _, tt := range []struct {
		host *lab.Host
		want string
	}{
		{router, "natpmp.on = true | udp/5351: NAT-PMP result 0\nwan.nested = false | NAT-PMP: a public address\nconnections 0\ndatagrams 1\n"},
		{plain, "natpmp.on = false | udp/5351: port unreachable\nwan.nested ? not-told\nconnections 0\ndatagrams 1\n"},
	} {
		t.Run(tt.host.Name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, observeRouter(t, l, tt.host, natpmp.Probe, gateway)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Many port mappings are read at the pace that holds for every device, on as few
// connections as the router allows.
func TestManyPortMappingsInTheLab(t *testing.T) {
	const mappings = 30
	l := lab.New(t)
	router, cam := l.Host("router"), l.Host("cam")
	daemon := router.Miniupnpd(t, "9.9.9.9/24")
	for i := range mappings {
		daemon.Map(t, cam, "TCP", 20_000+i, 80, "x")
	}
	began := time.Now()
	got := observeRouter(t, l, router, igd.Probe, func(e *fact.Evidence) { fact.IGDLocation.Set(e, daemon.Location(), "") })
	if !strings.Contains(got, fmt.Sprintf("GetGenericPortMappingEntry: %d\n", mappings)) {
		t.Errorf("not all mappings:\n%s", got)
	}
	t.Logf("%d mappings within %v; %s", mappings, time.Since(began), regexp.MustCompile(`connections \d+`).FindString(got))
}

func TestUPnPInTheLab(t *testing.T) {
	l := lab.New(t)
	nas := l.Host("nas")
	nas.Minidlna(t, "Cellar NAS")
	got := observeRouter(t, l, nas, upnp.Probe, func(e *fact.Evidence) {
		fact.UPnPLocations.Set(e, []string{fmt.Sprintf("http://%s:8200/rootDesc.xml", nas.IP())}, "")
	})
	want := `name Cellar NAS
device.class ? not-told
device.manufacturer = Justin Maggard | tcp/8200: /rootDesc.xml: Justin Maggard
device.model = Windows Media Connect compatible (MiniDLNA) 1.3.0 | tcp/8200: /rootDesc.xml: Windows Media Connect compatible (MiniDLNA) 1.3.0
upnp.device_type = urn:schemas-upnp-org:device:MediaServer:1 | tcp/8200: /rootDesc.xml
upnp.friendly_name = Cellar NAS | tcp/8200: /rootDesc.xml
upnp.manufacturer = Justin Maggard | tcp/8200: /rootDesc.xml
upnp.model = Windows Media Connect compatible (MiniDLNA) | tcp/8200: /rootDesc.xml
upnp.model_number = 1.3.0 | tcp/8200: /rootDesc.xml
connections 1
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
