package mdns

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/mdns"
	"github.com/miekg/dns"
	"go.uber.org/goleak"
	"golang.org/x/net/ipv4"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/lab"
	"github.com/thingwarden/thingwarden/discovery/network"
)

// found is what the source has reported in a lab, by address.
type found struct {
	mu       sync.Mutex
	services map[string][]discovery.Service
	facts    map[string]*fact.Evidence
	first    map[string]time.Time
	packets  int
	health   []string
}

// labNetworks are the networks of the lab's hub.
func labNetworks(t *testing.T) func() discovery.Networks {
	return func() discovery.Networks {
		n, err := network.Look([]netip.Prefix{
			lab.LAN0.IPv4, lab.LAN0.IPv6, lab.LAN1.IPv4, lab.LAN1.IPv6, netip.MustParsePrefix("fe80::/64"),
		})
		if err != nil {
			t.Error(err)
		}
		return n
	}
}

// start runs the source on the hub until the test ends.
func start(t *testing.T, cfg Config) *found {
	t.Helper()
	f, stop := run(t, cfg)
	t.Cleanup(stop)
	return f
}

// run runs the source on the hub until stop is called.
func run(t *testing.T, cfg Config) (f *found, stop func()) {
	t.Helper()
	f = &found{services: map[string][]discovery.Service{}, facts: map[string]*fact.Evidence{}, first: map[string]time.Time{}}
	src, err := cfg.New(discovery.Env{
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: time.Now, Networks: labNetworks(t),
		Owners: func() map[netip.Addr]discovery.Identifier { return nil },
		Health: func(s discovery.Status, problem string) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.health = append(f.health, strings.TrimSpace(string(s)+" "+problem))
		},
		Sent: func(to netip.Addr, packets, _ int) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.packets += packets
			if to.IsValid() {
				t.Errorf("a multicast counts for %v", to)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- src.Run(ctx, f.take) }()
	return f, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	}
}

func (f *found) take(o discovery.Observation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := "hub"
	if len(o.About) > 0 {
		id = o.About[0].Value
	}
	if f.first[id].IsZero() {
		f.first[id] = time.Now()
	}
	if o.Gone {
		delete(f.services, id)
		delete(f.facts, id)
		return
	}
	if o.Services != nil {
		f.services[id] = o.Services
	}
	if f.facts[id] == nil {
		f.facts[id] = fact.New(name, time.Now())
	}
	for _, n := range o.Facts.Entries() {
		f.facts[id].Put(n)
	}
}

// list returns lines "address type port" of all services, IPv4 hosts only.
func (f *found) list() (out []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, all := range f.services {
		if a, err := netip.ParseAddr(id); err != nil || a.Is6() {
			continue
		}
		for _, s := range all {
			out = append(out, fmt.Sprintf("%s %s %d", id, s.Name, s.Port))
		}
	}
	slices.Sort(out)
	return out
}

func (f *found) sent() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.packets
}

func (f *found) evidence(id string) *fact.Evidence {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.facts[id].Clone()
}

// sameAsAvahi waits until avahi-browse on the hub shows the same as the source.
func (f *found) sameAsAvahi(t *testing.T, hub *lab.Host, hosts ...*lab.Host) {
	t.Helper()
	var diff string
	defer func() {
		if diff != "" {
			t.Errorf("instances (-avahi-browse +source):\n%s", diff)
		}
	}()
	// It leaves out what it could not resolve within five seconds.
	lab.WaitFor(t, 40*time.Second, "the same instances in avahi-browse", func() bool {
		diff = cmp.Diff(avahiBrowse(t, hub, hosts), f.list())
		return diff == ""
	})
}

// avahiBrowse returns what avahi-browse shows on the hub in the same form as list.
// A service that it found by IPv4 it gives with either address of the host.
func avahiBrowse(t *testing.T, hub *lab.Host, hosts []*lab.Host) (out []string) {
	t.Helper()
	v4 := func(addr string) string {
		for _, h := range hosts {
			if h.IP6().String() == addr {
				return h.IP().String()
			}
		}
		return addr
	}
	for l := range strings.SplitSeq(hub.Run(t, "avahi-browse", "-a", "-t", "-r", "-p", "-k"), "\n") {
		p := strings.Split(l, ";")
		if len(p) >= 9 && p[0] == "=" && p[2] == "IPv4" {
			out = append(out, fmt.Sprintf("%s %s %s", v4(p[7]), p[4], p[8]))
		}
	}
	slices.Sort(out)
	return out
}

// services makes n services, several of most types.
func services(types string, n int) (out []lab.AvahiService) {
	all := strings.Fields(types)
	for i := range n {
		out = append(out, lab.AvahiService{
			Name: fmt.Sprintf("Thing %d", i), Type: all[i%len(all)], Port: 8000 + i, TXT: []string{"n=" + strconv.Itoa(i)},
		})
	}
	return out
}

func TestLabFindsWhatAvahiFinds(t *testing.T) {
	l := lab.New(t)
	l.Hub().Avahi(t, "hub")
	printers := l.Host("a")
	a := printers.Avahi(t, "printers", services("_ipp._tcp", 2)...)
	busy := l.Host("b", lab.On(lab.LAN1))
	busy.Avahi(t, "busy", services("_http._tcp _ssh._tcp _hap._tcp _http._tcp _smb._tcp", 26)...)
	mixed := l.Host("c")
	mixed.Avahi(t, "mixed", services("_http._tcp _mqtt._tcp _osc._udp", 10)...)

	begun := time.Now()
	f := start(t, Config{})
	lab.WaitFor(t, 20*time.Second, "38 instances", func() bool { return len(f.list()) == 38 })
	t.Logf("38 instances after %v, %d packets sent", time.Since(begun).Round(time.Millisecond), f.sent())
	f.sameAsAvahi(t, l.Hub(), printers, busy, mixed)
	if types, _ := fact.MDNSServices.Get(f.evidence(busy.IP().String())); !slices.Equal(types, []string{"_hap._tcp", "_http._tcp", "_smb._tcp", "_ssh._tcp"}) {
		t.Errorf("types of the busy host = %v", types)
	}

	stopped := time.Now()
	a.Stop()
	lab.WaitFor(t, 20*time.Second, "the goodbye", func() bool { return len(f.list()) == 36 })
	t.Logf("goodbye seen after %v", time.Since(stopped).Round(time.Millisecond))
	printers.Start(t, a.Cmd.Args[0], a.Cmd.Args[1:]...)
	lab.WaitFor(t, 20*time.Second, "what is announced again", func() bool { return len(f.list()) == 38 })
	f.sameAsAvahi(t, l.Hub(), printers, busy, mixed)
}

func TestLabIPv6Only(t *testing.T) {
	l := lab.New(t)
	f := start(t, Config{})
	for _, addrs := range [][]string{nil, {"fd99::77/64"}} { // link-local only, and a wider one too
		h := l.Host(fmt.Sprint("six", len(addrs)), lab.WithAddrs(addrs...))
		h.Avahi(t, h.Name, lab.AvahiService{Name: h.Name, Type: "_hap._tcp", Port: 8080, TXT: []string{"sf=1"}})
		ids := []string{h.LinkLocal().String() + "%lan0", h.IP6().String()} // Avahi takes either to send from
		lab.WaitFor(t, 20*time.Second, "the facts of "+h.Name, func() bool {
			return slices.ContainsFunc(ids, func(id string) bool {
				paired, ok := fact.HomeKitAnnounced.Get(f.evidence(id))
				return ok && !paired
			})
		})
	}
}

// TestLabAnnouncement measures from a packet on the wire to the report.
func TestLabAnnouncement(t *testing.T) {
	l := lab.New(t)
	f := start(t, Config{})
	first := l.Host("first") // until it is heard the source's sockets may not be open
	c := speaker(t, first)
	lab.WaitFor(t, 20*time.Second, "the first report", func() bool {
		multicast(t, c, announcement(t, first.IP(), "first"))
		return f.evidence(first.IP().String()) != nil
	})
	var took []time.Duration
	for i := range 20 {
		h := l.Host(fmt.Sprint("new", i))
		c := speaker(t, h)
		b := announcement(t, h.IP(), h.Name)
		sent := time.Now()
		multicast(t, c, b)
		lab.WaitFor(t, 20*time.Second, "the report", func() bool { return f.evidence(h.IP().String()) != nil })
		f.mu.Lock()
		took = append(took, f.first[h.IP().String()].Sub(sent))
		f.mu.Unlock()
	}
	slices.Sort(took)
	t.Logf("from packet to report: median %v, p95 %v", took[len(took)/2], took[len(took)*95/100])
	// The median, since a busy machine delays single ones.
	if median := took[len(took)/2]; median > 100*time.Millisecond {
		t.Errorf("median = %v, want tens of milliseconds", median)
	}
}

func announcement(t *testing.T, a netip.Addr, host string) []byte {
	t.Helper()
	m := dns.Msg{MsgHdr: dns.MsgHdr{Response: true}}
	for _, s := range []string{
		"_hap._tcp.local. 4500 IN PTR " + host + "._hap._tcp.local.",
		host + "._hap._tcp.local. 120 IN SRV 0 0 80 " + host + ".local.",
		host + "._hap._tcp.local. 4500 IN TXT \"sf=1\"",
		host + ".local. 120 IN A " + a.String(),
	} {
		rr, err := dns.NewRR(s)
		if err != nil {
			t.Fatal(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// speaker opens a socket on a host from which multicast goes to its lan0.
func speaker(t *testing.T, h *lab.Host) net.PacketConn {
	t.Helper()
	lab.WaitFor(t, 20*time.Second, "the network of host "+h.Name, func() bool {
		_, err := h.Dial("tcp", "10.99.0.2:1")
		return err != nil && strings.Contains(err.Error(), "refused")
	})
	c := h.ListenPacket("udp4", ":5353")
	h.Do(func() {
		ifi, err := net.InterfaceByName("lan0")
		if err == nil {
			err = ipv4.NewPacketConn(c).SetMulticastInterface(ifi)
		}
		if err != nil {
			t.Error(err)
		}
	})
	return c
}

func multicast(t *testing.T, c net.PacketConn, b []byte) {
	t.Helper()
	if _, err := c.WriteTo(b, &net.UDPAddr{IP: group4.AsSlice(), Port: port}); err != nil {
		t.Fatal(err)
	}
}

func TestLabHostileHost(t *testing.T) {
	l := lab.New(t)
	f := start(t, Config{})
	victim := l.Host("victim")
	victim.Avahi(t, "victim", lab.AvahiService{Name: "Plug", Type: "_hap._tcp", Port: 8080, TXT: []string{"sf=0", "md=Good"}})
	id := victim.IP().String()
	lab.WaitFor(t, 20*time.Second, "the victim's facts", func() bool {
		paired, _ := fact.HomeKitAnnounced.Get(f.evidence(id))
		return paired
	})
	evil := l.Host("evil")
	c := speaker(t, evil)
	for range 20 {
		multicast(t, c, announcement(t, victim.IP(), "Plug"))
	}
	lab.WaitFor(t, 20*time.Second, "a word about the impostor", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return slices.ContainsFunc(f.health, func(s string) bool { return strings.Contains(s, "The device at "+evil.IP().String()) })
	})
	if paired, ok := fact.HomeKitAnnounced.Get(f.evidence(id)); !ok || !paired {
		t.Errorf("the victim's facts changed: paired = %v, %v", paired, ok)
	}
	if _, ok := fact.HomeKitAnnounced.Get(f.evidence(evil.IP().String())); ok {
		t.Error("another host's facts count for the impostor")
	}
}

// TestLabUnsolicitedUnicast has a responder on hashicorp/mdns, which answers by
// unicast whatever the query was. RFC 6762 section 6.7 wants such answers ignored:
// they could come from beyond the link.
func TestLabUnsolicitedUnicast(t *testing.T) {
	l := lab.New(t)
	h := l.Host("quiet")
	zone, err := mdns.NewMDNSService("Quiet", "_http._tcp", "local.", "quiet.local.", 8080, []net.IP{h.IP().AsSlice()}, []string{"a=b"})
	if err != nil {
		t.Fatal(err)
	}
	h.Do(func() {
		ifi, err := net.InterfaceByName("lan0")
		if err != nil {
			t.Error(err)
			return
		}
		server, err := mdns.NewServer(&mdns.Config{Zone: zone, Iface: ifi, Logger: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)})
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { _ = server.Shutdown() })
	})
	seen := l.Hub().Capture(t)
	f := start(t, Config{})
	lab.WaitFor(t, 20*time.Second, "unicast answers to two queries", func() bool {
		return len(seen.Frames(func(fr lab.Frame) bool { return fr.From == h.IP() && fr.To == l.Hub().IP() && fr.Port() == port })) >= 2
	})
	if e := f.evidence(h.IP().String()); e != nil {
		t.Errorf("reported: %v", e.Entries())
	}
}

func TestLabQuerier(t *testing.T) {
	l := lab.New(t)
	h := l.Host("printer")
	h.Avahi(t, "printer", lab.AvahiService{Name: "Hall Printer", Type: "_ipp._tcp", Port: 631})
	l.Hub().Run(t, "ip", "route", "add", "default", "via", h.IP().String()) // the library needs one
	ifi, err := net.InterfaceByName("lan0")
	if err != nil {
		t.Fatal(err)
	}
	env := discovery.Env{Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Sent: func(netip.Addr, int, int) {}}
	a := newQuerier(env, newSockets(nil, env), nil)
	got, err := a.query(t.Context(), target{host: hostKey{linkID{ifi.Index, false}, h.IP()}, iface: "lan0", typ: "_ipp._tcp.local."})
	if err != nil || !slices.Equal(got, []string{`Hall\ Printer._ipp._tcp.local.`}) {
		t.Errorf("query = %q, %v", got, err)
	}
}

// TestLabQuerierBadRecord has a camera whose answer no library unpacks, because of
// a record that nobody needs.
func TestLabQuerierBadRecord(t *testing.T) {
	text, err := os.ReadFile("testdata/bad-nsec.hex")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	if err := new(dns.Msg).Unpack(answer); err == nil {
		t.Fatal("the answer has nothing bad")
	}
	for _, tt := range []struct{ name, route string }{{"with a default route", "add"}, {"without", ""}} {
		t.Run(tt.name, func(t *testing.T) {
			l := lab.New(t)
			h := l.Host("camera")
			h.Do(func() {
				ifi, err := net.InterfaceByName("lan0")
				if err != nil {
					t.Error(err)
					return
				}
				conn, err := net.ListenMulticastUDP("udp4", ifi, &net.UDPAddr{IP: group4.AsSlice(), Port: port})
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(func() { _ = conn.Close() })
				go func() {
					buf := make([]byte, maxPacket)
					for {
						_, from, err := conn.ReadFromUDPAddrPort(buf)
						if err != nil {
							return
						}
						_, _ = conn.WriteToUDPAddrPort(answer, from)
					}
				}()
			})
			if tt.route != "" {
				l.Hub().Run(t, "ip", "route", tt.route, "default", "via", h.IP().String())
			}
			ifi, err := net.InterfaceByName("lan0")
			if err != nil {
				t.Fatal(err)
			}
			env := discovery.Env{Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Sent: func(netip.Addr, int, int) {}}
			q := newQuerier(env, newSockets(nil, env), nil)
			lab.WaitFor(t, 20*time.Second, "the camera's service", func() bool {
				got, err := q.query(t.Context(), target{host: hostKey{linkID{ifi.Index, false}, h.IP()}, iface: "lan0", typ: "_hap._tcp.local."})
				if err != nil || len(got) > 0 && !slices.Equal(got, []string{`IndoorCam\ 2K-0000._hap._tcp.local.`}) {
					t.Errorf("query = %q, %v", got, err)
				}
				return len(got) > 0
			})
		})
	}
}

func TestLabAdvertise(t *testing.T) {
	l := lab.New(t)
	h := l.Host("phone")
	h.Avahi(t, "phone")
	start(t, Config{Advertise: true})
	var last string
	lab.WaitFor(t, 15*time.Second, "Thingwarden in avahi-browse", func() bool {
		last = h.Run(t, "avahi-browse", "-t", "-r", "-p", "-k", "_http._tcp")
		return strings.Contains(last, "=;lan0;IPv4;Thingwarden;_http._tcp;local;thingwarden.local;10.99.0.2;8099")
	})
}

// TestLabNetworkComesLater starts the source before there is a second network.
func TestLabNetworkComesLater(t *testing.T) {
	l := lab.New(t)
	f := start(t, Config{})
	h := l.Host("late", lab.On(lab.LAN1))
	h.Avahi(t, "late", lab.AvahiService{Name: "Late", Type: "_http._tcp", Port: 80})
	lab.WaitFor(t, 20*time.Second, "the service", func() bool {
		return slices.Contains(f.list(), h.IP().String()+" _http._tcp 80")
	})
}

func TestLabLeavesNothing(t *testing.T) {
	lab.New(t)
	before := goleak.IgnoreCurrent()
	f, stop := run(t, Config{Advertise: true})
	lab.WaitFor(t, 20*time.Second, "the first queries", func() bool { return f.sent() >= 2 })
	stop()
	goleak.VerifyNone(t, before)
}
