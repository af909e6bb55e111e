package reversedns

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

var (
	router = netip.MustParseAddr("192.168.1.1")
	public = netip.MustParseAddr("9.9.9.9")
	nas    = netip.MustParseAddr("192.168.1.5")
)

// home runs the source for a while and returns what it queried and reported.
func home(t *testing.T, system []netip.Addr, owners []netip.Addr, listenOnly bool, span time.Duration,
	answer func(resolver netip.Addr, q *dns.Msg) (*dns.Msg, error)) (queried, named []string) {
	t.Helper()
	ids := map[netip.Addr]discovery.Identifier{}
	for _, a := range owners {
		ids[a] = discovery.IP(a)
	}
	src, err := (&Config{}).New(discovery.Env{
		Now: time.Now, ListenOnly: listenOnly,
		Owners:   func() map[netip.Addr]discovery.Identifier { return ids },
		Networks: func() discovery.Networks { return discovery.Networks{Gateways: []netip.Addr{router}} },
		Pause:    func() time.Duration { return 0 },
		Sent:     func(netip.Addr, int, int) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := src.(*source)
	s.system = func() []netip.Addr { return system }
	s.exchange = func(_ context.Context, resolver netip.Addr, q *dns.Msg) (*dns.Msg, error) {
		queried = append(queried, resolver.String()+" "+q.Question[0].Name)
		return answer(resolver, q)
	}
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	if err := s.Run(ctx, func(o discovery.Observation) {
		host, _ := fact.DNSName.Get(o.Facts)
		if !o.Quiet {
			t.Error("a name is no sign of life")
		}
		named = append(named, o.About[0].Value+" "+host)
	}); err != nil {
		t.Error(err)
	}
	return queried, named
}

func ptr(host string) func(netip.Addr, *dns.Msg) (*dns.Msg, error) {
	return func(_ netip.Addr, q *dns.Msg) (*dns.Msg, error) {
		r := new(dns.Msg).SetReply(q)
		r.Answer = []dns.RR{&dns.PTR{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypePTR, Class: dns.ClassINET}, Ptr: host}}
		return r, nil
	}
}

func TestRun(t *testing.T) {
	const question = "5.1.168.192.in-addr.arpa."
	silent := func(netip.Addr, *dns.Msg) (*dns.Msg, error) { return nil, errors.New("timeout") }
	for _, tt := range []struct {
		name       string
		system     []netip.Addr
		owners     []netip.Addr
		listenOnly bool
		span       time.Duration
		answer     func(netip.Addr, *dns.Msg) (*dns.Msg, error)
		queried    []string
		named      []string
	}{
		{"the gateway", nil, []netip.Addr{nas}, false, time.Minute, ptr("nas.fritz.box."), []string{"192.168.1.1 " + question}, []string{"192.168.1.5 nas.fritz.box"}},
		{"again after an hour", nil, []netip.Addr{nas}, false, queryEvery + time.Minute, ptr("nas.lan."),
			[]string{"192.168.1.1 " + question, "192.168.1.1 " + question}, []string{"192.168.1.5 nas.lan", "192.168.1.5 nas.lan"}},
		{"no public resolver, none on this machine", []netip.Addr{public, netip.MustParseAddr("127.0.0.53")}, []netip.Addr{nas}, false, time.Minute, ptr("nas.lan."),
			[]string{"192.168.1.1 " + question}, []string{"192.168.1.5 nas.lan"}},
		{"a resolver of the home", []netip.Addr{netip.MustParseAddr("192.168.1.2")}, []netip.Addr{nas}, false, time.Minute, ptr("nas.lan."),
			[]string{"192.168.1.2 " + question}, []string{"192.168.1.5 nas.lan"}},
		{"no public address", nil, []netip.Addr{public}, false, time.Minute, ptr("nas.lan."), nil, nil},
		{"listen only", nil, []netip.Addr{nas}, true, time.Minute, ptr("nas.lan."), nil, nil},
		{"no such name", nil, []netip.Addr{nas}, false, time.Minute, func(_ netip.Addr, q *dns.Msg) (*dns.Msg, error) {
			return new(dns.Msg).SetRcode(q, dns.RcodeNameError), nil
		}, []string{"192.168.1.1 " + question}, []string{"192.168.1.5 "}},
		{"silence", nil, []netip.Addr{nas}, false, time.Minute, silent, []string{"192.168.1.1 " + question}, nil},
		{"silence for three", nil, []netip.Addr{nas, netip.MustParseAddr("192.168.1.6"), netip.MustParseAddr("192.168.1.7"), netip.MustParseAddr("192.168.1.8")}, false, time.Minute, silent,
			[]string{"192.168.1.1 " + question, "192.168.1.1 6.1.168.192.in-addr.arpa.", "192.168.1.1 7.1.168.192.in-addr.arpa."}, nil},
		{"hostile name", nil, []netip.Addr{nas}, false, time.Minute, ptr("<b>.lan."), []string{"192.168.1.1 " + question}, []string{"192.168.1.5 "}},
		{"answer to another question", nil, []netip.Addr{nas}, false, time.Minute, func(_ netip.Addr, q *dns.Msg) (*dns.Msg, error) {
			r, _ := ptr("nas.lan.")(router, q)
			r.Question[0].Name = "6.1.168.192.in-addr.arpa."
			return r, nil
		}, []string{"192.168.1.1 " + question}, []string{"192.168.1.5 "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				queried, named := home(t, tt.system, tt.owners, tt.listenOnly, tt.span, tt.answer)
				if d := cmp.Diff(tt.queried, queried); d != "" {
					t.Errorf("queried (-want +got):\n%s", d)
				}
				if d := cmp.Diff(tt.named, named); d != "" {
					t.Errorf("named (-want +got):\n%s", d)
				}
			})
		})
	}
}

func FuzzHostOf(f *testing.F) {
	q := new(dns.Msg).SetQuestion("5.1.168.192.in-addr.arpa.", dns.TypePTR)
	good, _ := ptr("nas.lan.")(router, q)
	wire, _ := good.Pack()
	f.Add(wire)
	f.Fuzz(func(t *testing.T, b []byte) {
		var r dns.Msg
		if r.Unpack(b) != nil {
			return
		}
		r.Id = q.Id
		if host := hostOf(&r, q); host != fact.Clean(host, fact.MaxText) {
			t.Fatalf("host %q is not clean", host)
		}
	})
}
