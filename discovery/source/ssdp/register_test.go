package ssdp

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/time/rate"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/upnp"
)

var home = discovery.Networks{
	Watched:  []discovery.Network{{Interface: "eth0", Index: 2, Prefix: netip.MustParsePrefix("192.168.1.0/24"), Own: netip.MustParseAddr("192.168.1.2")}},
	Gateways: []netip.Addr{netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("fe80::1%eth0")},
}

// air is a network in memory with a register on it.
type air struct {
	t      *testing.T
	gate   *gate
	rounds chan int

	mu   sync.Mutex
	said []string
}

// startAir must be called in a synctest bubble.
func startAir(t *testing.T, listenOnly bool) *air {
	t.Helper()
	a := &air{t: t, rounds: make(chan int)}
	env := discovery.Env{ListenOnly: listenOnly, Log: slog.New(slog.DiscardHandler), Now: time.Now, Networks: func() discovery.Networks { return home }}
	in := make(chan message, 256)
	a.gate = newGate(env, in)
	r := newRegister(env, func(o discovery.Observation) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.said = append(a.said, describe(o))
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = r.run(ctx, in, a.rounds) }()
	t.Cleanup(func() { cancel(); <-done })
	return a
}

func describe(o discovery.Observation) string {
	s := o.About[0].Value
	if o.Gone {
		s += " gone"
	}
	for _, n := range o.Facts.Entries() {
		s += fmt.Sprintf(" %s=%v%s", n.Name, n.Value, n.Why)
	}
	for _, x := range o.Services {
		s += fmt.Sprintf(" %s/%d", x.Name, x.Port)
	}
	if o.Quiet {
		s += " (quiet)"
	}
	return s
}

// say sends a message from an address, as the socket gives it.
func (a *air) say(from, kind, location string) {
	if sender, ok := a.gate.admits(&net.UDPAddr{IP: net.ParseIP(from), Port: 1900}); ok {
		a.gate.pass(message{from: sender, kind: kind, location: location})
	}
	synctest.Wait()
}

// heard returns what was reported since the last call.
func (a *air) heard() []string {
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	out := a.said
	a.said = nil
	return out
}

func (a *air) want(want ...string) {
	a.t.Helper()
	if diff := cmp.Diff(want, a.heard()); diff != "" {
		a.t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRegister(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := startAir(t, false)
		a.say("192.168.1.1", "upnp:rootdevice", "http://192.168.1.1:5000/rootDesc.xml")
		a.say("192.168.1.1", upnp.GatewayType+"1", "http://192.168.1.1:5000/rootDesc.xml")
		a.say("192.168.1.20", "urn:schemas-upnp-org:device:MediaServer:1", "http://192.168.1.20/d.xml")
		time.Sleep(time.Second)
		got := a.heard()
		if len(got) == 2 && strings.HasPrefix(got[0], "192.168.1.20") {
			got[0], got[1] = got[1], got[0]
		}
		if diff := cmp.Diff([]string{
			"192.168.1.1 igd.location=http://192.168.1.1:5000/rootDesc.xml upnp.locations=[http://192.168.1.1:5000/rootDesc.xml] upnp/5000",
			"192.168.1.20 upnp.locations=[http://192.168.1.20/d.xml] upnp/80",
		}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}

		// After its restart the router has another port.
		time.Sleep(time.Minute)
		a.say("192.168.1.1", upnp.GatewayType+"1", "http://192.168.1.1:5001/rootDesc.xml")
		time.Sleep(2 * time.Second)
		a.want("192.168.1.1 igd.location=http://192.168.1.1:5001/rootDesc.xml upnp.locations=[http://192.168.1.1:5000/rootDesc.xml http://192.168.1.1:5001/rootDesc.xml] upnp/5000 upnp/5001")

		// The same again is only a sign of life.
		time.Sleep(presentEvery)
		a.heard()
		a.say("192.168.1.1", upnp.GatewayType+"1", "http://192.168.1.1:5001/rootDesc.xml")
		time.Sleep(2 * time.Second)
		a.want("192.168.1.1")

		time.Sleep(locationForgotten)
		a.say("192.168.1.1", upnp.GatewayType+"1", "http://192.168.1.1:5001/rootDesc.xml")
		time.Sleep(2 * time.Second)
		a.want("192.168.1.1 igd.location=http://192.168.1.1:5001/rootDesc.xml upnp.locations=[http://192.168.1.1:5001/rootDesc.xml] upnp/5001")

		time.Sleep(forgetAfter + time.Second)
		for _, s := range a.heard() {
			if !strings.HasSuffix(s, " gone (quiet)") {
				t.Errorf("reported %q of a silent device", s)
			}
		}
	})
}

// Threats T1 and T15: places elsewhere than at the sender are not used, and
// senders from elsewhere are not heard.
func TestHostileLocations(t *testing.T) {
	for _, tt := range []struct{ name, from, location string }{
		{"loopback", "192.168.1.66", "http://127.0.0.1:8123/"},
		{"loopback by name", "192.168.1.66", "http://localhost/"},
		{"loopback, mapped", "192.168.1.66", "http://[::ffff:127.0.0.1]/"},
		{"the hub", "192.168.1.66", "http://192.168.1.2:8123/"},
		{"the router", "192.168.1.66", "http://192.168.1.1/"},
		{"another device", "192.168.1.66", "http://192.168.1.20/reboot"},
		{"the Internet", "192.168.1.66", "http://198.51.100.7/"},
		{"cloud metadata", "192.168.1.66", "http://169.254.169.254/"},
		{"a name", "192.168.1.66", "http://router.local/"},
		{"own address with another host as user", "192.168.1.66", "http://192.168.1.66@192.168.1.1/"},
		{"https", "192.168.1.66", "https://192.168.1.66/"},
		{"a file", "192.168.1.66", "file:///etc/passwd"},
		{"a printer's port", "192.168.1.66", "http://192.168.1.66:9100/"},
		{"nothing", "192.168.1.66", ""},
		{"control characters", "192.168.1.66", "http://192.168.1.66/\x1b[31m"},
		{"bidi", "192.168.1.66", "http://192.168.1.66/\u202e"},
		{"too long", "192.168.1.66", "http://192.168.1.66/" + strings.Repeat("a", 300)},
		{"sender from the Internet", "198.51.100.7", "http://198.51.100.7/"},
		{"sender from another network", "10.0.0.1", "http://10.0.0.1/"},
		{"sender is the hub", "192.168.1.2", "http://192.168.1.2/"},
		{"sender is loopback", "127.0.0.1", "http://127.0.0.1/"},
		{"sender by IPv6", "fe80::1", "http://[fe80::1]/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := startAir(t, false)
				a.say(tt.from, upnp.GatewayType+"1", tt.location)
				time.Sleep(time.Minute)
				a.want()
			})
		})
	}
}

// Threat T14: a flood costs others nothing and us little.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := startAir(t, false)
		for i := range 100_000 {
			if sender, ok := a.gate.admits(&net.UDPAddr{IP: net.IPv4(192, 168, 1, 66), Port: 1900}); ok {
				a.gate.pass(message{from: sender, kind: upnp.GatewayType + "1", location: fmt.Sprintf("http://192.168.1.66/%d", i)})
				synctest.Wait()
			}
		}
		a.say("192.168.1.20", "upnp:rootdevice", "http://192.168.1.20/")
		time.Sleep(time.Second)
		other := false
		for _, s := range a.heard() {
			other = other || s == "192.168.1.20 upnp.locations=[http://192.168.1.20/] upnp/80"
			if n := strings.Count(s, "http://"); n > upnp.MaxLocations+1 {
				t.Errorf("%d places of one device", n)
			}
		}
		if !other {
			t.Error("the other device was not heard")
		}
		// Who changes all the time is not reported all the time.
		for range 60 {
			for i := range 10 {
				a.say("192.168.1.66", upnp.GatewayType+"1", fmt.Sprintf("http://192.168.1.66/%d", i))
			}
			time.Sleep(time.Second)
		}
		if n := len(a.heard()); n > 13 {
			t.Errorf("%d reports on one device in a minute", n)
		}
	})
}

func TestSilentGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := startAir(t, false)
		for n := 1; n <= roundsUntilNoAnswer; n++ {
			a.rounds <- n
		}
		a.want()
		a.rounds <- roundsUntilNoAnswer + 1
		a.want("192.168.1.1 igd.on=<nil>" + string(fact.NoAnswer) + " (quiet)")
		a.rounds <- roundsUntilNoAnswer + 2
		a.want()
		a.say("192.168.1.1", upnp.GatewayType+"2", "http://192.168.1.1/d")
		time.Sleep(time.Second)
		a.want("192.168.1.1 igd.location=http://192.168.1.1/d upnp.locations=[http://192.168.1.1/d] upnp/80")
		a.rounds <- roundsUntilNoAnswer + 3
		a.want()
	})
}

func TestListenOnlyForgetsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := startAir(t, true)
		a.say("192.168.1.20", "upnp:rootdevice", "http://192.168.1.20/")
		time.Sleep(forgetAfterListening - time.Minute)
		a.want("192.168.1.20 upnp.locations=[http://192.168.1.20/] upnp/80")
		time.Sleep(2 * time.Minute)
		a.want("192.168.1.20 gone (quiet)")
	})
}

func TestReadAnswer(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     message
		ok       bool
	}{
		{"real", "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: upnp:rootdevice\r\nUSN: uuid:1::upnp:rootdevice\r\nEXT:\r\nSERVER: x UPnP/1.1\r\nLOCATION: http://192.168.1.1:5000/rootDesc.xml\r\n\r\n",
			message{kind: "upnp:rootdevice", location: "http://192.168.1.1:5000/rootDesc.xml", server: "x UPnP/1.1"}, true},
		{"without its end", "HTTP/1.1 200 OK\r\nlocation: x\r\nst: y", message{kind: "y", location: "x"}, true},
		{"an error", "HTTP/1.1 500 no\r\nLOCATION: x\r\n\r\n", message{location: "x"}, false},
		{"a search", "M-SEARCH * HTTP/1.1\r\n\r\n", message{}, false},
		{"nothing", "", message{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := readAnswer([]byte(tt.in))
			if got != tt.want || ok != tt.ok {
				t.Errorf("got %+v, %v", got, ok)
			}
		})
	}
}

func FuzzReadAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nLOCATION: http://192.168.1.66:5000/rootDesc.xml\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nLOCATION: http://192.168.1.66/\x1b\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, ok := readAnswer(b)
		if !ok {
			return
		}
		m.from = netip.MustParseAddr("192.168.1.66")
		r := newRegister(discovery.Env{Log: slog.New(slog.DiscardHandler), Now: time.Now}, func(o discovery.Observation) {
			for _, n := range o.Facts.Entries() {
				s := fmt.Sprint(n.Value)
				if !strings.Contains(s, "192.168.1.66") || fact.Clean(s, fact.MaxText) != s {
					t.Errorf("%s = %q", n.Name, s)
				}
			}
		})
		r.receive(m, time.Now())
		r.work(time.Now())
	})
}

// FuzzNotify takes announcements in, as the monitor's package reads them from NOTIFY
// requests of anybody.
func FuzzNotify(f *testing.F) {
	f.Add("upnp:rootdevice", "http://192.168.1.66:5000/rootDesc.xml", "Linux UPnP/1.0", "http://192.168.1.66/2")
	f.Add("urn:schemas-upnp-org:device:InternetGatewayDevice:1", "http://192.168.1.1/", "\x1b[2J\u202e", "http://[::1]/")
	f.Fuzz(func(t *testing.T, kind, location, server, second string) {
		in := make(chan message, 2)
		from := netip.MustParseAddr("192.168.1.66")
		env := discovery.Env{Log: slog.New(slog.DiscardHandler), Now: time.Now, Networks: func() discovery.Networks { return home }}
		l := &listener{env: env, gate: newGate(env, in), flood: make(chan struct{}, 1), packets: rate.NewLimiter(floodRate, floodBurst)}
		r := newRegister(env, func(o discovery.Observation) {
			if len(o.About) != 1 || o.About[0] != discovery.IP(from) {
				t.Errorf("reported about %v", o.About)
			}
			for _, n := range o.Facts.Entries() {
				if s, ok := n.Value.(string); ok && fact.Clean(s, fact.MaxText) != s {
					t.Errorf("%s = %q", n.Name, s)
				}
				locations, _ := n.Value.([]string)
				for _, s := range locations {
					if where, err := url.Parse(s); err != nil || where.Hostname() != from.String() {
						t.Errorf("%s = %q", n.Name, s)
					}
				}
			}
		})
		for _, where := range []string{location, second} {
			l.receive(net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 1900)), message{kind: kind, location: where, server: server})
			r.receive(<-in, time.Now())
			r.work(time.Now())
		}
	})
}
