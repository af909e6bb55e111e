package mdns

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// The tests' home: one interface with an IPv4 and two IPv6 networks.
var home = discovery.Networks{Watched: []discovery.Network{
	{Interface: "eth0", Index: 2, Prefix: netip.MustParsePrefix("10.0.0.0/24"), Own: netip.MustParseAddr("10.0.0.2")},
	{Interface: "eth0", Index: 2, Prefix: netip.MustParsePrefix("fe80::/64"), Own: netip.MustParseAddr("fe80::2")},
	{Interface: "eth0", Index: 2, Prefix: netip.MustParsePrefix("fd00::/64"), Own: netip.MustParseAddr("fd00::2")},
}}

// wire is a link in memory with a browser on it.
type wire struct {
	t  *testing.T
	in inbox

	mu      sync.Mutex
	queries []sent
	seen    []discovery.Observation
	health  []string
	wanted  []target
	owners  map[netip.Addr]discovery.Identifier
}

type sent struct {
	at   time.Time
	link linkID
	msg  dns.Msg
}

// startWire must be called in a synctest bubble.
func startWire(t *testing.T) *wire {
	t.Helper()
	a := &wire{t: t, in: newInbox()}
	env := discovery.Env{
		Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Owners: func() map[netip.Addr]discovery.Identifier {
			a.mu.Lock()
			defer a.mu.Unlock()
			return a.owners
		},
		Health: func(s discovery.Status, problem string) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.health = append(a.health, strings.TrimSpace(fmt.Sprint(s, " ", problem)))
		},
	}
	send := func(id linkID, b []byte) {
		var m dns.Msg
		if err := m.Unpack(b); err != nil {
			t.Errorf("sent a message that cannot be read: %v", err)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.queries = append(a.queries, sent{time.Now(), id, m})
	}
	want := func(x target) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.wanted = append(a.wanted, x)
	}
	report := func(o discovery.Observation) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.seen = append(a.seen, o)
	}
	b := newBrowser(env, send, want, report)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = b.run(ctx, a.in) }()
	t.Cleanup(func() { cancel(); <-done })
	a.in.links <- links(home)
	synctest.Wait()
	return a
}

// send sends records from an address, "!" before a record sets the cache-flush bit.
func (a *wire) send(from string, records ...string) {
	a.t.Helper()
	m := dns.Msg{MsgHdr: dns.MsgHdr{Response: true, Authoritative: true}, Compress: true}
	for _, s := range records {
		rr, err := dns.NewRR(strings.TrimPrefix(s, "!"))
		if err != nil {
			a.t.Fatalf("record %q: %v", s, err)
		}
		if strings.HasPrefix(s, "!") {
			rr.Header().Class |= cacheFlush
		}
		m.Answer = append(m.Answer, rr)
	}
	a.packet(from, &m)
}

func (a *wire) packet(from string, m *dns.Msg) {
	a.t.Helper()
	b, err := m.Pack()
	if err != nil {
		a.t.Fatal(err)
	}
	a.handOver()
	addr := netip.MustParseAddr(from)
	a.in.packets <- packet{linkID{2, addr.Is6()}, netip.AddrPortFrom(addr, port), b}
	synctest.Wait()
}

// handOver orders what the test has read and written before what the browser does next.
func (a *wire) handOver() {
	a.mu.Lock()
	defer a.mu.Unlock()
}

func (a *wire) pass(d time.Duration) {
	a.handOver()
	time.Sleep(d)
	synctest.Wait()
}

// questions returns the questions of a name and when they came, since start.
func (a *wire) questions(start time.Time, name string) (at []time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, q := range a.queries {
		if !q.link.v6 && !q.at.Before(start) && slices.ContainsFunc(q.msg.Question, func(x dns.Question) bool { return x.Name == name }) {
			at = append(at, q.at.Sub(start).Round(10*time.Millisecond))
		}
	}
	return at
}

// state is what the observations add up to, as the inventory would keep it.
func (a *wire) state() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	type device struct {
		name     string
		services []discovery.Service
		words    map[string]fact.Entry
	}
	all := map[string]*device{}
	for _, o := range a.seen {
		id := "hub"
		if len(o.About) > 0 {
			id = o.About[0].Value
		}
		if o.Gone {
			delete(all, id)
			continue
		}
		d := all[id]
		if d == nil {
			d = &device{words: map[string]fact.Entry{}}
			all[id] = d
		}
		if o.Name != "" {
			d.name = o.Name
		}
		if o.Services != nil {
			d.services = o.Services
		}
		for _, n := range o.Facts.Entries() {
			d.words[n.Name] = n
		}
	}
	var out strings.Builder
	for _, id := range slices.Sorted(maps.Keys(all)) {
		d := all[id]
		fmt.Fprintf(&out, "%s %q\n", id, d.name)
		for _, s := range d.services {
			fmt.Fprintf(&out, "  %s/%d %s\n", s.Proto, s.Port, s.Name)
		}
		for _, w := range slices.Sorted(maps.Keys(d.words)) {
			if n := d.words[w]; n.Known() {
				fmt.Fprintf(&out, "  %s = %v (%s)\n", w, n.Value, n.Proof)
			} else {
				fmt.Fprintf(&out, "  %s unknown: %s\n", w, n.Why)
			}
		}
	}
	return out.String()
}

func (a *wire) wantState(when, want string) {
	a.t.Helper()
	if diff := cmp.Diff(strings.TrimLeft(want, "\n"), a.state()); diff != "" {
		a.t.Errorf("%s, state (-want +got):\n%s", when, diff)
	}
}

func bubble(t *testing.T, f func(*testing.T, *wire)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, startWire(t)) })
}
