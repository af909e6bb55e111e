package homekit

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/dnssd"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

const queriedID = 4711

// reply is an answer with records; those after "+" are additional ones.
func reply(t testing.TB, records ...string) []byte {
	t.Helper()
	m := dns.Msg{MsgHdr: dns.MsgHdr{Id: queriedID, Response: true, Authoritative: true}, Compress: true}
	for _, s := range records {
		rr, err := dns.NewRR(strings.TrimPrefix(s, "+"))
		if err != nil {
			t.Fatalf("record %q: %v", s, err)
		}
		if strings.HasPrefix(s, "+") {
			m.Extra = append(m.Extra, rr)
		} else {
			m.Answer = append(m.Answer, rr)
		}
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var plugReply = []string{
	"_hap._tcp.local. 10 IN PTR Plug\\.\\ Two._hap._tcp.local.",
	"+Plug\\.\\ Two._hap._tcp.local. 10 IN SRV 0 0 5001 plug.local.",
	"+Plug\\.\\ Two._hap._tcp.local. 10 IN TXT \"sf=1\" \"md=Lab plug\"",
	"+plug.local. 10 IN A 192.0.2.10",
}

func TestReadServices(t *testing.T) {
	other := reply(t, plugReply...)
	other[0]++
	for _, tt := range []struct {
		name string
		in   []byte
		want string // "no answer", or instances
	}{
		{"a plug", reply(t, plugReply...), `"Plug. Two" _hap._tcp 5001 Lab plug`},
		{"its address is not told", reply(t, plugReply[:3]...), `"Plug. Two" _hap._tcp 5001 Lab plug`},
		{"no properties", reply(t, plugReply[0], plugReply[1]), `"Plug. Two" _hap._tcp 5001 `},
		{"a host that speaks for another", reply(t, append(slices.Clone(plugReply[:3]), "+plug.local. 10 IN A 192.0.2.77")...), ""},
		{"another type than asked for", reply(t, "x._http._tcp.local. 10 IN SRV 0 0 80 plug.local."), ""},
		{"a name that is none", reply(t, "local. 10 IN SRV 0 0 80 plug.local."), ""},
		{"nothing", reply(t), ""},
		{"answer to another question", other, "no answer"},
		{"a question", func() []byte {
			q := new(dns.Msg)
			q.SetQuestion("_hap._tcp.local.", dns.TypePTR)
			q.Id = queriedID
			b, _ := q.Pack()
			return b
		}(), "no answer"},
		{"cut off", reply(t, plugReply...)[:30], "no answer"},
		{"empty", nil, "no answer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found, ok := dnssd.ReadServices(tt.in, queriedID, "_hap._tcp", netip.MustParseAddr("192.0.2.10"))
			var got []string
			for _, i := range found {
				got = append(got, fmt.Sprintf("%q %s %d %s", i.Name, i.Type, i.Port, i.TXT["md"]))
			}
			text := strings.Join(got, "; ")
			if !ok {
				text = "no answer"
			}
			if diff := cmp.Diff(tt.want, text); diff != "" {
				t.Errorf("services (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHomeKitApplies(t *testing.T) {
	services := func(types ...string) *fact.Evidence {
		ev := fact.New("homeassistant", time.Now())
		fact.MDNSServices.Set(ev, types, "")
		return ev
	}
	at := discovery.Device{IDs: []discovery.Identifier{discovery.IP(netip.MustParseAddr("192.0.2.10"))}, Sources: []string{"homeassistant"}}
	heard := at
	heard.Sources = []string{"homeassistant", "mdns"}
	for _, tt := range []struct {
		name string
		d    discovery.Device
		ev   *fact.Evidence
		want bool
	}{
		{"told by another", at, services("_hap._tcp"), true},
		{"heard by ourselves", heard, services("_hap._tcp"), true},
		{"another service", at, services("_http._tcp"), false},
		{"announces nothing", at, fact.New("x", time.Now()), false},
		{"no address", discovery.Device{}, services("_hap._tcp"), false},
	} {
		if got := announcesHomeKit(tt.d, tt.ev); got != tt.want {
			t.Errorf("%s: applies %v, want %v", tt.name, got, tt.want)
		}
	}
}

func FuzzReadServices(f *testing.F) {
	f.Add(reply(f, plugReply...))
	f.Add(reply(f, "x._http._tcp.local. 10 IN SRV 0 0 80 plug.local."))
	f.Fuzz(func(t *testing.T, b []byte) {
		found, _ := dnssd.ReadServices(b, queriedID, "_hap._tcp", netip.MustParseAddr("192.0.2.10"))
		if len(found) > 256 {
			t.Errorf("%d services", len(found))
		}
		for _, i := range found {
			if i.Type != "_hap._tcp" || i.Port < 0 || i.Port > 65535 {
				t.Errorf("service %+v", i)
			}
		}
	})
}
