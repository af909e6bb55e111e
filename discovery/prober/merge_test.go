package prober

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// A device answers for an address, not for itself.
func TestMerge(t *testing.T) {
	type say = func(*fact.Evidence)
	telnet := func(open bool) say { return func(e *fact.Evidence) { fact.TelnetOpen.Set(e, open, "p") } }
	encrypted := func(v bool) say { return func(e *fact.Evidence) { fact.ControlEncrypted.Set(e, v, "p") } }
	unknown := func(why fact.Why) say { return func(e *fact.Evidence) { fact.TelnetOpen.Unknown(e, why) } }
	keys := func(k ...string) say { return func(e *fact.Evidence) { fact.TLSKeys.Set(e, k, "p") } }
	for _, tt := range []struct {
		name    string
		results []say
		silent  int // of the looks, the last ones never answered
		word    string
		want    any // the value, or why it is unknown
	}{
		{"open at one", []say{telnet(false), telnet(true)}, 0, "telnet.open", true},
		{"closed at both", []say{telnet(false), telnet(false)}, 0, "telnet.open", false},
		{"closed at one, the other not looked at", []say{telnet(false), unknown(fact.NoAnswer)}, 0, "telnet.open", fact.NoAnswer},
		{"closed at one, the limit reached at the other", []say{telnet(false), unknown(fact.Limit)}, 0, "telnet.open", fact.Limit},
		{"closed at one, nothing there at the other", []say{telnet(false), unknown(fact.Refused)}, 0, "telnet.open", false},
		{"closed at one, the other never answered", []say{telnet(false), unknown(fact.NoAnswer)}, 1, "telnet.open", false},
		{"open at one, the other not looked at", []say{unknown(fact.NoAnswer), telnet(true)}, 0, "telnet.open", true},
		{"neither ever answered", []say{unknown(fact.NoAnswer), unknown(fact.NoAnswer)}, 2, "telnet.open", fact.NoAnswer},
		{"plain at one", []say{encrypted(true), encrypted(false)}, 0, "control.encrypted", false},
		{"encrypted at both", []say{encrypted(true), encrypted(true)}, 0, "control.encrypted", true},
		{"lists are joined", []say{keys("b"), keys("a", "b")}, 0, "tls.keys", []string{"a", "b"}},
		{"an empty list and one unread", []say{keys(), func(e *fact.Evidence) { fact.TLSKeys.Unknown(e, fact.Unreadable) }}, 0, "tls.keys", fact.Unreadable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var results []result
			for i, say := range tt.results {
				e := fact.New("test", time.Time{})
				say(e)
				results = append(results, result{addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), facts: e, answered: i < len(tt.results)-tt.silent})
			}
			out := fact.New("test", time.Time{})
			merge(results, out)
			n, _ := out.Entry(tt.word)
			got := n.Value
			if !n.Known() {
				got = n.Why
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestSilentAddressesAreNamed(t *testing.T) {
	results := []result{{addr: netip.MustParseAddr("192.0.2.1"), facts: fact.New("t", time.Time{}), answered: true}, {addr: netip.MustParseAddr("fe80::1%lan0"), facts: fact.New("t", time.Time{})}}
	fact.TelnetOpen.Set(results[0].facts, false, "tcp/23 refused")
	fact.TelnetOpen.Unknown(results[1].facts, fact.NoAnswer)
	out := fact.New("t", time.Time{})
	merge(results, out)
	if n, _ := out.Entry("telnet.open"); n.Proof != "tcp/23 refused; no answer at fe80::1" {
		t.Errorf("proof %q", n.Proof)
	}
}

func TestAddresses(t *testing.T) {
	networks := testLAN
	networks.Watched = append(networks.Watched,
		discovery.Network{Interface: "lan0", Prefix: netip.MustParsePrefix("fe80::/64")},
		discovery.Network{Interface: "lan0", Prefix: netip.MustParsePrefix("2001:db8::/64")})
	for _, tt := range []struct {
		name     string
		in, want []string
	}{
		{"IPv4 first", []string{"fe80::1%lan0", "192.0.2.10"}, []string{"192.0.2.10", "fe80::1%lan0"}},
		{"four of IPv4", []string{"192.0.2.10", "192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.14"}, []string{"192.0.2.10", "192.0.2.11", "192.0.2.12", "192.0.2.13"}},
		{"one of each IPv6, that of the hardware address", []string{"2001:db8::1234:5678:9abc:def0", "2001:db8::200:5eff:fe00:5301", "fe80::1%lan0", "fe80::200:5eff:fe00:5301%lan0"},
			[]string{"fe80::200:5eff:fe00:5301%lan0", "2001:db8::200:5eff:fe00:5301"}},
		{"no temporary one", []string{"192.0.2.10", "2001:db8::1234:5678:9abc:def0"}, []string{"192.0.2.10"}},
		{"a temporary one where there is none else", []string{"2001:db8::1234:5678:9abc:def0"}, []string{"2001:db8::1234:5678:9abc:def0"}},
		{"one given by hand", []string{"2001:db8::5"}, []string{"2001:db8::5"}},
		{"not of another network", []string{"198.51.100.1", "127.0.0.1"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, a := range Addresses(testDevice(tt.in...), networks) {
				got = append(got, a.String())
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// Whose owner was shown comes before what is only claimed.
func TestClaimedAddressesComeLast(t *testing.T) {
	d := testDevice("fe80::1%lan0", "192.0.2.11")
	d.IDs = append(d.IDs, discovery.Claimed(netip.MustParseAddr("192.0.2.10")))
	got := Addresses(d, testLAN)
	want := []netip.Addr{netip.MustParseAddr("192.0.2.11"), netip.MustParseAddr("192.0.2.10")}
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// What is said beside facts outlasts the merging too.
func TestMergedObservation(t *testing.T) {
	via := discovery.Identifier{Kind: discovery.MACID, Value: "00005e005399"}
	dispute := discovery.AddressDispute{Addr: netip.MustParseAddr("192.0.2.10")}
	said := func(change func(*result)) result {
		l := result{facts: fact.New("test", time.Time{}), answered: true}
		change(&l)
		return l
	}
	for _, tt := range []struct {
		name    string
		results []result
		want    discovery.Observation
	}{
		{"nothing", []result{said(func(*result) {})}, discovery.Observation{}},
		{"by way of another", []result{said(func(*result) {}), said(func(l *result) { l.via = via })}, discovery.Observation{Via: via}},
		{"quiet at one", []result{said(func(l *result) { l.quiet = true }), said(func(*result) {})}, discovery.Observation{}},
		{"quiet at all", []result{said(func(l *result) { l.quiet = true }), said(func(l *result) { l.quiet = true })}, discovery.Observation{Quiet: true}},
		{"gone at one", []result{said(func(l *result) { l.gone = true }), said(func(*result) {})}, discovery.Observation{}},
		{"gone at all", []result{said(func(l *result) { l.gone = true }), said(func(l *result) { l.gone = true })}, discovery.Observation{Gone: true}},
		{"disputed at one", []result{said(func(*result) {}), said(func(l *result) { l.disputed = []discovery.AddressDispute{dispute} })}, discovery.Observation{Disputed: []discovery.AddressDispute{dispute}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &pass{targets: []*Target{{device: device(10), now: time.Now}}}
			got := w.merged(&Probe{Name: "test"}, tt.results)
			got.Facts, got.About = nil, nil
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
