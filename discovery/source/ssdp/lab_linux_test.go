package ssdp

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/koron/go-ssdp"
	"go.uber.org/goleak"
	"golang.org/x/net/ipv4"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/upnp"
	"github.com/thingwarden/thingwarden/discovery/lab"
	"github.com/thingwarden/thingwarden/discovery/network"
)

func TestMain(m *testing.M) { lab.Main(m) }

// found is what the source has reported in a lab, by address.
type found struct {
	mu        sync.Mutex
	gateway   map[string]string
	locations map[string][]string
	gone      map[string]bool
	packets   int
	health    string
}

// start runs the source on the hub until stop is called or the test ends.
func start(t *testing.T, listenOnly bool) (f *found, stop func()) {
	t.Helper()
	f = &found{gateway: map[string]string{}, locations: map[string][]string{}, gone: map[string]bool{}}
	src, err := new(Config).New(discovery.Env{ListenOnly: listenOnly,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: time.Now,
		Networks: func() discovery.Networks {
			n, err := network.Look([]netip.Prefix{lab.LAN0.IPv4, lab.LAN1.IPv4})
			if err != nil {
				t.Error(err)
			}
			return n
		},
		Health: func(s discovery.Status, problem string) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.health = strings.TrimSpace(string(s) + " " + problem)
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
	ended := make(chan error, 1)
	go func() { ended <- src.Run(ctx, f.take) }()
	return f, sync.OnceFunc(func() {
		cancel()
		began := time.Now()
		if err := <-ended; err != nil {
			t.Errorf("the source failed: %v", err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the source took %v to end", took)
		}
	})
}

func (f *found) take(o discovery.Observation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := o.About[0].Value
	if s, ok := fact.IGDLocation.Get(o.Facts); ok {
		f.gateway[at] = s
	}
	if l, ok := fact.UPnPLocations.Get(o.Facts); ok {
		f.locations[at] = l
	}
	f.gone[at] = o.Gone
}

func (f *found) at(h *lab.Host) (gateway string, locations []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gateway[h.IP().String()], f.locations[h.IP().String()]
}

func TestRealDaemons(t *testing.T) {
	l := lab.New(t)
	router, nas := l.Host("router"), l.Host("nas", lab.On(lab.LAN1))
	daemon := router.Miniupnpd(t, "9.9.9.9/24")
	nas.Minidlna(t, "NAS")
	wire := router.Capture(t)
	f, stop := start(t, false)
	defer stop()
	began := time.Now()
	lab.WaitFor(t, 20*time.Second, "both daemons", func() bool {
		gateway, _ := f.at(router)
		_, locations := f.at(nas)
		return gateway == daemon.Location() && slices.Equal(locations, []string{"http://" + nas.IP().String() + ":8200/rootDesc.xml"})
	})
	t.Logf("found after %v", time.Since(began))

	// A second opinion.
	other, err := ssdp.Search(ssdp.All, 2, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range other {
		ours := slices.ContainsFunc([]*lab.Host{router, nas}, func(h *lab.Host) bool {
			_, locations := f.at(h)
			return slices.Contains(locations, s.Location)
		})
		if !ours {
			t.Errorf("koron/go-ssdp also found %q", s.Location)
		}
	}

	// Announcements, without a search of ours: a restart on another port.
	const first = 3*3 + 1 + 1 // the second opinion's among them
	lab.WaitFor(t, 20*time.Second, "the first searches to end", func() bool { return searches(wire) == first })
	daemon.Stop()
	again := router.Miniupnpd(t, "9.9.9.9/24")
	lab.WaitFor(t, 20*time.Second, "the router on its new port", func() bool {
		gateway, _ := f.at(router)
		return gateway == again.Location()
	})
	if n := searches(wire); n != first {
		t.Errorf("%d more searches: the announcement was not heard", n-first)
	}
	stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	if seen := searches(wire); 2*(seen-1) != f.packets { // one was the second opinion's
		t.Errorf("counted %d packets on two networks; on one there were %d", f.packets, seen-1)
	}
	if f.health != "" {
		t.Errorf("health %q", f.health)
	}
}

// searches counts the searches that passed.
func searches(c *lab.Capture) int {
	return len(c.Frames(func(f lab.Frame) bool {
		return f.Port() == 1900 && len(f.Segment) > 8 && bytes.HasPrefix(f.Segment[8:], []byte("M-SEARCH"))
	}))
}

func TestListenOnlySendsNothing(t *testing.T) {
	l := lab.New(t)
	router := l.Host("router")
	wire := router.Capture(t)
	f, stop := start(t, true)
	defer stop()
	lab.WaitFor(t, 20*time.Second, "the socket to be open", func() bool { return listens(t, 1900) })
	daemon := router.Miniupnpd(t, "9.9.9.9/24")
	lab.WaitFor(t, 20*time.Second, "the router's announcement", func() bool {
		gateway, _ := f.at(router)
		return gateway == daemon.Location()
	})
	if n := searches(wire); n != 0 || f.packets != 0 {
		t.Errorf("%d searches, %d packets counted", n, f.packets)
	}
}

func TestLeavesNothingBehind(t *testing.T) {
	lab.New(t)
	before := goleak.IgnoreCurrent()
	_, stop := start(t, false)
	lab.WaitFor(t, 20*time.Second, "the socket to be open", func() bool { return listens(t, 1900) })
	stop()
	goleak.VerifyNone(t, before)
	if listens(t, 1900) {
		t.Error("the socket is still open")
	}
	if ssdp.Interfaces != nil {
		t.Error("the interfaces of koron/go-ssdp are still set")
	}
}

// listens reports whether a UDP port is open on the hub.
func listens(t *testing.T, port int) bool {
	t.Helper()
	b, err := os.ReadFile("/proc/thread-self/net/udp")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(b), fmt.Sprintf(":%04X 00000000:0000", port))
}

// Threat T1, on the wire: a hostile host names places at others, in announcements
// and in answers, and nobody gets a packet for it.
func TestHostileHost(t *testing.T) {
	l := lab.New(t)
	evil, victim := l.Host("evil"), l.Host("victim")
	atVictim := victim.Capture(t)
	places := []string{
		fmt.Sprintf("http://%s:80/reboot", victim.IP()), "http://127.0.0.1:8123/", "http://10.99.0.2:8123/", "http://localhost/",
		fmt.Sprintf("http://%s:9100/", evil.IP()), "http://198.51.100.1/", fmt.Sprintf("http://%s@%s/", evil.IP(), victim.IP()),
	}
	own := fmt.Sprintf("http://%s:1234/d.xml", evil.IP())
	answered := answer(t, evil, append(places, own))
	announce(t, evil, append(places, own))
	// After its first three searches, within four seconds, the source is silent for
	// half a minute: whoever does not listen yet misses what is counted here.
	f, stop := start(t, false)
	defer stop()
	lab.WaitFor(t, 20*time.Second, "the hostile host's own place, and answers to two searches", func() bool {
		_, locations := f.at(evil)
		return len(locations) > 0 && answered.Load() > 2*int64(len(targets))
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	for at, locations := range f.locations {
		if at != evil.IP().String() || !slices.Equal(locations, []string{own}) {
			t.Errorf("%s: %q", at, locations)
		}
	}
	for _, frame := range atVictim.Frames(func(frame lab.Frame) bool { return frame.To == victim.IP() }) {
		t.Errorf("the victim got a packet of protocol %d for port %d from %v", frame.Proto, frame.Port(), frame.From)
	}
	if n := atVictim.Connections(); n > 0 {
		t.Errorf("%d connections to the victim", n)
	}
}

// answer answers each search that the host hears with all places, and counts.
func answer(t *testing.T, h *lab.Host, places []string) *atomic.Int64 {
	t.Helper()
	var answered atomic.Int64
	c := h.ListenPacket("udp4", "239.255.255.250:1900")
	joined := make(chan error, 1)
	h.Do(func() {
		ifi, err := net.InterfaceByName("lan0")
		if err == nil {
			err = ipv4.NewPacketConn(c).JoinGroup(ifi, group)
		}
		joined <- err
	})
	if err := <-joined; err != nil {
		t.Fatal(err)
	}
	go func() {
		b := make([]byte, 2048)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if !bytes.HasPrefix(b[:n], []byte("M-SEARCH")) {
				continue
			}
			answered.Add(1)
			for _, p := range places {
				_, _ = c.WriteTo(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nST: %s1\r\nUSN: uuid:1\r\nLOCATION: %s\r\n\r\n", upnp.GatewayType, p), from)
			}
		}
	}()
	return &answered
}

// announce sends an announcement of each place once a second.
func announce(t *testing.T, h *lab.Host, places []string) {
	t.Helper()
	c := multicaster(t, h)
	go func() {
		for {
			for _, p := range places {
				if _, err := c.WriteTo(announcement(p), group); err != nil {
					return
				}
			}
			time.Sleep(time.Second)
		}
	}()
}

func announcement(place string) []byte {
	return fmt.Appendf(nil, "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNTS: ssdp:alive\r\nNT: %s1\r\nUSN: uuid:1\r\nLOCATION: %s\r\n\r\n", upnp.GatewayType, place)
}

// multicaster opens a socket of the host that multicasts on its first interface.
func multicaster(t *testing.T, h *lab.Host) net.PacketConn {
	t.Helper()
	c := h.ListenPacket("udp4", h.IP().String()+":0")
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

// Threat T14: a flood of announcements, good ones and broken ones, costs bounded
// memory, and a router behind it is found all the same.
func TestFloodOnTheWire(t *testing.T) {
	l := lab.New(t)
	evil, router := l.Host("evil"), l.Host("router")
	daemon := router.Miniupnpd(t, "9.9.9.9/24")
	var sent atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	var flooding sync.WaitGroup
	defer flooding.Wait()
	defer cancel()
	for _, packet := range [][]byte{
		announcement(fmt.Sprintf("http://%s/%s", evil.IP(), strings.Repeat("a", 100))),
		[]byte("NOTIFY * HTTP/1.1\r\nNTS: ssdp:update\r\n" + strings.Repeat("X: y\r\n", 5000) + "\r\n"),
		[]byte("NOTIFY " + strings.Repeat("x", 40_000)),
	} {
		c := multicaster(t, evil)
		flooding.Go(func() {
			for ctx.Err() == nil {
				if _, err := c.WriteTo(packet, group); err == nil {
					sent.Add(1)
				}
			}
		})
	}
	f, stop := start(t, false)
	defer stop()
	var most uint64
	var goroutines int
	began := time.Now()
	for end := began.Add(5 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most, goroutines = max(most, m.HeapInuse+m.StackInuse), max(goroutines, runtime.NumGoroutine())
	}
	cancel()
	flooding.Wait()
	t.Logf("%d packets, at most %d MiB and %d goroutines", sent.Load(), most>>20, goroutines)
	if most > 64<<20 {
		t.Errorf("%d MiB in use", most>>20)
	}
	// The router may have lost the first three searches in the flood: there is one
	// more after half a minute.
	lab.WaitFor(t, floodRest+20*time.Second, "the router", func() bool { gateway, _ := f.at(router); return gateway == daemon.Location() })
}
