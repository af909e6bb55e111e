package prober_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

// acme is a search of one datagram, which takes any text for a model.
func acme() *prober.Search {
	return &prober.Search{
		Name: "acme-search", Touch: prober.Connect, Gives: []string{fact.DeviceModel.Name()}, Every: time.Hour,
		Send: []prober.Datagram{{Port: 4000, Payload: []byte{1}}},
		Read: func(_ netip.AddrPort, b []byte) (discovery.Observation, error) {
			e := fact.New("acme-search", time.Time{})
			fact.DeviceModel.Set(e, string(b), "udp/4000")
			return discovery.Observation{Facts: e}, nil
		},
	}
}

// looking is a Prober with one search that runs in a synctest bubble.
type looking struct {
	*prober.Prober
	mu       sync.Mutex
	reported []string
	health   []string
	packets  int
	networks discovery.Networks
}

func lookFor(t *testing.T, s *prober.Search, air *probertest.Air, change func(*prober.Options)) *looking {
	l := &looking{networks: discovery.Networks{Watched: []discovery.Network{
		{Interface: "lan0", Prefix: netip.MustParsePrefix("10.0.0.0/22"), Own: netip.MustParseAddr("10.0.0.2")},
		{Interface: "lan0", Prefix: netip.MustParsePrefix("fd00::/64"), Own: netip.MustParseAddr("fd00::2")},
	}}}
	opt := prober.Options{
		Searches: []*prober.Search{s}, Touch: prober.Read, PerDevice: 4, PerHouse: 32, ListenUDP: air.Listen, Now: time.Now,
		Networks: func() discovery.Networks {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.networks
		},
		Report: func(o discovery.Observation) {
			l.mu.Lock()
			defer l.mu.Unlock()
			model := "gone"
			if !o.Gone {
				model, _ = fact.DeviceModel.Get(o.Facts)
			}
			l.reported = append(l.reported, o.About[0].Value+" "+model)
		},
		Sent: func(to netip.Addr, packets, connections int) {
			l.mu.Lock()
			defer l.mu.Unlock()
			if to.IsValid() || connections != 0 {
				t.Errorf("counted %d packets and %d connections to %v", packets, connections, to)
			}
			l.packets += packets
		},
		Health: func(name string, s discovery.Status, problem string) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.health = append(l.health, fmt.Sprintf("%s %s %s", name, s, problem))
		},
	}
	if change != nil {
		change(&opt)
	}
	l.Prober = prober.New(opt)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { _ = l.Run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	return l
}

func heard(texts ...string) (out []probertest.Heard) {
	for _, s := range texts {
		from, text, _ := strings.Cut(s, " ")
		out = append(out, probertest.Heard{From: netip.AddrPortFrom(netip.MustParseAddr(from), 4000), Payload: []byte(text)})
	}
	return out
}

func TestSearch(t *testing.T) {
	many := func(n int, from func(i int) string) (out []string) {
		for i := range n {
			out = append(out, from(i)+" X")
		}
		return out
	}
	tests := []struct {
		name   string
		search func(*prober.Search)
		option func(*prober.Options)
		inUse  bool
		heard  []string
		want   []string // reported
		sent   int
		health []string
	}{
		{name: "answers", heard: []string{"10.0.0.9 A", "10.0.3.9 B", "10.0.0.9 C"}, want: []string{"10.0.0.9 A", "10.0.3.9 B", "10.0.0.9 C"}, sent: 1},
		{name: "from elsewhere, and from the hub itself", heard: []string{"10.0.4.9 A", "10.0.0.2 B", "127.0.0.1 C", "fd01::9 D"}, sent: 1},
		{name: "one sender has its share", heard: many(100, func(int) string { return "10.0.0.9" }), want: many(8, func(int) string { return "10.0.0.9" }), sent: 1},
		{name: "more senders than are taken in",
			heard: many(300, func(i int) string { return fmt.Sprintf("10.0.%d.%d", 1+i/200, 1+i%200) }),
			want:  many(256, func(i int) string { return fmt.Sprintf("10.0.%d.%d", 1+i/200, 1+i%200) }), sent: 1,
			health: []string{`acme-search degraded The search "acme-search" is not complete: more than 256 devices answered.`}},
		{name: "too long", heard: []string{"10.0.0.9 " + strings.Repeat("x", 4097)}, sent: 1},
		{name: "nothing to send", search: func(s *prober.Search) { s.Send, s.ListenPort, s.Touch = nil, 4001, prober.Listen }, heard: []string{"10.0.0.9 A"}, want: []string{"10.0.0.9 A"}},
		{name: "the port is another program's", inUse: true, search: func(s *prober.Search) { s.ListenPort = 4001 }, heard: []string{"10.0.0.9 A"},
			health: []string{`acme-search degraded The search "acme-search" is not complete: UDP port 4001: port in use by another program.`}},
		{name: "listen only by touch", option: func(o *prober.Options) { o.Touch = prober.Listen }, heard: []string{"10.0.0.9 A"}},
		{name: "listen only by pace", option: func(o *prober.Options) { o.PerHouse = 0 }, heard: []string{"10.0.0.9 A"}},
		{name: "to a device", search: func(s *prober.Search) { s.Send[0].Group = netip.MustParseAddr("10.0.0.9") },
			health: []string{`acme-search degraded The search "acme-search" is not complete: send on lan0: address "10.0.0.9" is no multicast group: never probed.`}},
		{name: "to a port that is never probed", search: func(s *prober.Search) { s.Send[0].Port = 9100 },
			health: []string{`acme-search degraded The search "acme-search" is not complete: send on lan0: port 9100: never probed.`}},
		{name: "a defect", search: func(s *prober.Search) {
			s.Read = func(netip.AddrPort, []byte) (discovery.Observation, error) { panic("defect") }
		}, heard: []string{"10.0.0.9 A"}, sent: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := acme()
				if tt.search != nil {
					tt.search(s)
				}
				air := probertest.NewAir(heard(tt.heard...))
				air.InUse = tt.inUse
				l := lookFor(t, s, air, tt.option)
				time.Sleep(30 * time.Second)
				l.mu.Lock()
				defer l.mu.Unlock()
				if diff := cmp.Diff(tt.want, l.reported); diff != "" {
					t.Errorf("reported (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.health, l.health); diff != "" {
					t.Errorf("health (-want +got):\n%s", diff)
				}
				if l.packets != tt.sent || len(air.Sent()) != tt.sent {
					t.Errorf("counted %d, sent %q, want %d", l.packets, air.Sent(), tt.sent)
				}
			})
		})
	}
}

// A search is sent once a pass on each network: at its interval, on a network that
// comes up, and when the owner has a device checked that answered it.
func TestSearchPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		air := probertest.NewAir(heard("10.0.0.9 A"))
		l := lookFor(t, acme(), air, nil)
		expect := func(when string, n int) {
			t.Helper()
			if got := len(air.Sent()); got != n {
				t.Errorf("%s: %d datagrams sent, want %d: %q", when, got, n, air.Sent())
			}
		}
		time.Sleep(30 * time.Minute)
		expect("half an hour later", 1)
		time.Sleep(31 * time.Minute)
		expect("an hour later", 2)
		l.mu.Lock()
		l.networks.Watched = append(slices.Clone(l.networks.Watched), discovery.Network{Interface: "lan1", Prefix: netip.MustParsePrefix("10.1.0.0/24"), Own: netip.MustParseAddr("10.1.0.2")})
		l.mu.Unlock()
		time.Sleep(2 * time.Minute)
		expect("with another network", 4)
		if diff := cmp.Diff([]string{"10.0.3.255:4000 01", "10.0.3.255:4000 01", "10.0.3.255:4000 01", "10.1.0.255:4000 01"}, air.Sent()); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
		d := discovery.Device{ID: "ip_10_0_0_9", IDs: []discovery.Identifier{discovery.IP(netip.MustParseAddr("10.0.0.9"))}}
		ev := fact.New("acme-search", time.Now())
		fact.DeviceModel.Set(ev, "A", "")
		l.Update(d, ev)
		l.Recheck(d.ID)
		time.Sleep(10 * time.Second)
		expect("checked now", 6)
		l.Recheck(d.ID)
		time.Sleep(10 * time.Second)
		expect("checked again at once", 6)
	})
}

// What a device has answered goes once it has not answered three times.
func TestSearchForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		air := probertest.NewAir(heard("10.0.0.9 A"))
		l := lookFor(t, acme(), air, nil)
		time.Sleep(time.Minute)
		air.Silence()
		time.Sleep(2 * time.Hour)
		l.mu.Lock()
		if diff := cmp.Diff([]string{"10.0.0.9 A"}, l.reported); diff != "" {
			t.Errorf("after two more passes (-want +got):\n%s", diff)
		}
		l.mu.Unlock()
		time.Sleep(3 * time.Hour)
		l.mu.Lock()
		defer l.mu.Unlock()
		if diff := cmp.Diff([]string{"10.0.0.9 A", "10.0.0.9 gone"}, l.reported); diff != "" {
			t.Errorf("after more (-want +got):\n%s", diff)
		}
	})
}

// What a search could not ask is not checked, and why is said.
func TestSearchNotChecked(t *testing.T) {
	for _, tt := range []struct {
		name   string
		inUse  bool
		option func(*prober.Options)
		after  time.Duration
		want   fact.Why
	}{
		{"not yet", false, nil, 0, fact.NotProbed},
		{"searched", false, nil, time.Minute, ""},
		{"port in use", true, nil, time.Minute, fact.PortInUse},
		{"not allowed", false, func(o *prober.Options) { o.Touch = prober.Listen }, time.Minute, fact.TouchLevel},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := acme()
				s.Applies = func(d discovery.Device, _ *fact.Evidence) bool { return d.Name == "ACME" }
				air := probertest.NewAir(nil)
				air.InUse = tt.inUse
				l := lookFor(t, s, air, tt.option)
				time.Sleep(tt.after)
				ev := fact.New("test", time.Now())
				n, _ := l.Pending(discovery.Device{ID: "ip_10_0_0_9", Name: "ACME"}, ev).Entry(fact.DeviceModel.Name())
				if n.Why != tt.want {
					t.Errorf("why %q, want %q", n.Why, tt.want)
				}
				if other := l.Pending(discovery.Device{ID: "ip_10_0_0_8"}, ev); other.Len() > 0 {
					t.Errorf("a device that it is not for: %v", other.Entries())
				}
			})
		})
	}
}
