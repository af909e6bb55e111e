package dnssd

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// announced is an answer with records of all types that count, packed.
func announced(t testing.TB, extra ...dns.RR) []byte {
	t.Helper()
	m := &dns.Msg{Compress: true, MsgHdr: dns.MsgHdr{Response: true, Authoritative: true}}
	for _, s := range []string{
		"_http._tcp.local. 120 IN PTR Door._http._tcp.local.", "Door._http._tcp.local. 120 IN SRV 0 0 80 door.local.",
		`Door._http._tcp.local. 120 IN TXT "a=1" "b=\"\001"`, "door.local. 120 IN A 192.0.2.7", "door.local. 120 IN AAAA 2001:db8::7",
	} {
		rr, err := dns.NewRR(s)
		if err != nil {
			t.Fatal(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	m.Answer = append(m.Answer, extra...)
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// add appends a raw record to the answers of a message.
func add(b []byte, record string) []byte {
	b = append([]byte{}, b...)
	b[7]++
	return append(b, record...)
}

func TestReadMessage(t *testing.T) {
	whole := announced(t)
	const all = "PTR SRV TXT A AAAA"
	nsec := "\xc0\x0c" + "\x00\x2f\x80\x01\x00\x00\x00\x78\x00\x08" + "\xc0\xff\x00\x04\x40\x00\x00\x08"
	for _, tt := range []struct {
		name    string
		in      []byte
		want    string
		skipped int
	}{
		{"all is well", whole, all, 0},
		{"NSEC whose name leads nowhere", add(whole, nsec), all, 0},
		{"an owner whose name leads nowhere", add(whole, "\xff\xff\x00\x01\x80\x01\x00\x00\x00\x78\x00\x04\x01\x02\x03\x04"), all, 1},
		{"an address that is too short", add(add(whole, "\x01x\x00\x00\x01\x80\x01\x00\x00\x00\x78\x00\x03\x01\x02\x03"), nsec), all, 1},
		{"a type that nobody knows", add(whole, "\x01x\x00\xff\x77\x80\x01\x00\x00\x00\x78\x00\x01\x01"), all, 0},
		{"another class", add(whole, "\x01x\x00\x00\x01\x00\x03\x00\x00\x00\x78\x00\x04\x01\x02\x03\x04"), all, 0},
		{"it ends in a record", whole[:len(whole)-3], "PTR SRV TXT A", 1},
		{"it ends in a name", whole[:15], "", 5},
		{"more records than it says", append(slices.Clip(whole), "junk"...), all, 0},
		{"fewer records than it says", add(whole, ""), all, 1},
		{"TXT that breaks off", add(whole, "\x01x\x00\x00\x10\x80\x01\x00\x00\x00\x78\x00\x06\x03a=1\x09b"), all + " TXT", 0},
		{"a name in a circle", add(whole, "\xc0"+string(rune(len(whole)))+"\x00\x0c\x00\x01\x00\x00\x00\x78\x00\x02\xc0\x0c"), all, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := ReadMessage(tt.in)
			var got []string
			for _, rr := range m.Records {
				got = append(got, dns.TypeToString[rr.Header().Rrtype])
			}
			if err != nil || strings.Join(got, " ") != tt.want || m.Skipped != tt.skipped || !m.Response {
				t.Errorf("%q, %d skipped, %v; want %q, %d", got, m.Skipped, err, tt.want, tt.skipped)
			}
		})
	}
	for _, in := range [][]byte{whole[:11], append([]byte("\x00\x00\x00\x00\x00\x01"), make([]byte, 6)...)} {
		if _, err := ReadMessage(in); err == nil {
			t.Errorf("%x is a message", in)
		}
	}
}

// What is read is what package dns reads, where that reads anything.
func FuzzReadMessage(f *testing.F) {
	f.Add(announced(f))
	f.Add(add(announced(f), "\xff\xff\x00\x01\x80\x01\x00\x00\x00\x78\x00\x04\x01\x02\x03\x04"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ReadMessage(b)
		if err != nil {
			return
		}
		if len(m.Records) > MaxRecords || m.Skipped < 0 {
			t.Fatalf("%d records, %d skipped", len(m.Records), m.Skipped)
		}
		var strict dns.Msg
		if strict.Unpack(b) != nil || m.Skipped > 0 {
			return
		}
		var want, got []string
		for _, rr := range append(strict.Answer, strict.Extra...) {
			switch h := rr.Header(); h.Rrtype {
			case dns.TypeA, dns.TypeAAAA, dns.TypePTR, dns.TypeSRV:
				if h.Class&^cacheFlush == dns.ClassINET && len(want) < MaxRecords {
					want = append(want, fmt.Sprint(rr))
				}
			}
		}
		for _, rr := range m.Records {
			if rr.Header().Rrtype != dns.TypeTXT {
				got = append(got, fmt.Sprint(rr))
			}
		}
		if d := cmp.Diff(want, got); d != "" && len(got) < MaxRecords-len(m.Records) {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
}
