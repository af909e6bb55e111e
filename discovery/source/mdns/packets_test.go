package mdns

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"golang.org/x/tools/txtar"

	"github.com/thingwarden/thingwarden/discovery/internal/dnssd"
)

var update = flag.Bool("update", false, "write what the tests see into testdata")

// TestPackets plays packets and compares what is known afterwards. In a file,
// "@ address" begins a packet, "!" sets a record's cache-flush bit, "+ 5s" lets
// time pass, and "#" begins a comment.
func TestPackets(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			bubble(t, func(t *testing.T, a *wire) {
				play(t, a, string(ar.Files[0].Data))
				a.pass(2 * time.Second)
				got := a.state()
				for _, h := range a.health {
					got += "health: " + h + "\n"
				}
				compare(t, file, ar, got)
			})
		})
	}
}

func compare(t *testing.T, file string, ar *txtar.Archive, got string) {
	t.Helper()
	if *update {
		ar.Files[1].Data = []byte(got)
		if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(ar.Files[1].Data), got); diff != "" {
		t.Errorf("known afterwards (-want +got):\n%s", diff)
	}
}

func play(t *testing.T, a *wire, script string) {
	t.Helper()
	var from string
	var records []string
	send := func() {
		if from != "" {
			a.send(from, records...)
		}
		from, records = "", nil
	}
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		switch word, rest, _ := strings.Cut(line, " "); {
		case line == "" || word == "#":
		case word == "@":
			send()
			from = rest
		case word == "+":
			send()
			d, err := time.ParseDuration(rest)
			if err != nil {
				t.Fatal(err)
			}
			a.pass(d)
		default:
			records = append(records, line)
		}
	}
	send()
}

// recorded returns the multicast DNS datagrams of a capture file, with their senders.
func recorded(t testing.TB, file string) (out []packet) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for b = b[24:]; len(b) > 16; {
		n := int(binary.LittleEndian.Uint32(b[8:]))
		frame := b[16 : 16+n]
		b = b[16+n:]
		switch ip := frame[14:]; binary.BigEndian.Uint16(frame[12:]) {
		case 0x0800:
			from, _ := netip.AddrFromSlice(ip[12:16])
			out = append(out, packet{linkID{2, false}, netip.AddrPortFrom(from, port), ip[28:]})
		case 0x86dd:
			from, _ := netip.AddrFromSlice(ip[8:24])
			out = append(out, packet{linkID{2, true}, netip.AddrPortFrom(from, port), ip[48:]})
		}
	}
	return out
}

// TestRecordedBytes plays datagrams as they were on the wire.
func TestRecordedBytes(t *testing.T) {
	all := recorded(t, "testdata/matter.pcap")
	if len(all) != 18 {
		t.Fatalf("%d datagrams in the capture, want 18", len(all))
	}
	bubble(t, func(t *testing.T, a *wire) {
		n := home
		n.Watched = slices.Clone(n.Watched)
		n.Watched[0].Prefix = netip.MustParsePrefix("10.77.0.0/24")
		n.Watched[0].Own = netip.MustParseAddr("10.77.0.9")
		a.in.links <- links(n)
		for _, p := range all[:16] { // the last two are goodbyes
			a.in.packets <- p
			synctest.Wait()
		}
		a.pass(20 * time.Millisecond)
		for _, want := range []string{`10.77.0.1 "`, "udp/5540 _matterc._udp", "matter.announced_open = true (_matterc._udp CM=1)", `10.77.0.2 ""`} {
			if !strings.Contains(a.state(), want) {
				t.Errorf("no %q in\n%s", want, a.state())
			}
		}
	})
}

// TestFlood has one host announce 40,000 records, in every kind, while an honest one speaks as usual.
func TestFlood(t *testing.T) {
	bubble(t, func(t *testing.T, a *wire) {
		long := strings.Repeat("x", 250)
		for i := range 400 {
			var records []string
			for j := range 25 {
				n := fmt.Sprintf("%d-%d", i, j)
				records = append(records,
					fmt.Sprintf("_services._dns-sd._udp.local. 4500 IN PTR _t%s._tcp.local.", n),
					fmt.Sprintf("_http._tcp.local. 4500 IN PTR I%s._http._tcp.local.", n),
					fmt.Sprintf("!I%s._http._tcp.local. 4500 IN SRV 0 0 80 h%s.local.", n, n),
					fmt.Sprintf("!I%s._http._tcp.local. 4500 IN TXT %q %q %q", n, long, long, "k"+n))
			}
			a.send("10.0.0.66", records...)
			if i == 200 {
				a.send("10.0.0.5", plug(4500, "1")...)
				a.pass(50 * time.Millisecond)
				if !strings.Contains(a.state(), plugState[1:]) {
					t.Fatalf("the honest host is not reported during a flood:\n%.2000s", a.state())
				}
			}
			a.pass(10 * time.Millisecond)
		}
		var flood int
		for _, o := range a.seen {
			if len(o.About) > 0 && o.About[0].Value == "10.0.0.66" {
				flood++
				if len(o.Services) > dnssd.MaxServices {
					t.Errorf("%d services reported", len(o.Services))
				}
			}
		}
		if flood > 200 {
			t.Errorf("%d observations of the flooding host", flood)
		}
		if n := len(a.queries); n > 2*(sendsBurst+15*sendsPerSec) {
			t.Errorf("%d queries sent because of the flood", n)
		}
	})
}

// TestFalseSenders has packets come from more addresses than there can be devices.
func TestFalseSenders(t *testing.T) {
	bubble(t, func(t *testing.T, a *wire) {
		a.send("10.0.0.5", plug(4500, "1")...)
		a.pass(3 * time.Minute)
		a.send("10.0.0.5", plug(4500, "1")...) // heard for a while: not to be pushed out
		for i := range maxHosts + 500 {
			from := fmt.Sprintf("fe80::%x:1", i+1)
			a.send(from, "!x.local. 4500 IN AAAA "+from)
		}
		a.pass(2 * time.Second)
		a.send("10.0.0.6", "!late.local. 120 IN A 10.0.0.6")
		if s := a.state(); strings.Count(s, "fe80") > 3*maxHosts || !strings.Contains(s, plugState[1:]) || !strings.Contains(s, "10.0.0.6") {
			t.Error("an honest host is lost in a flood of false senders")
		}
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		t.Logf("heap after %d senders: %d MiB", maxHosts+501, m.HeapAlloc>>20)
	})
}

func TestIgnored(t *testing.T) {
	good := func() *dns.Msg {
		rr, _ := dns.NewRR("x.local. 120 IN A 10.0.0.5")
		return &dns.Msg{MsgHdr: dns.MsgHdr{Response: true}, Answer: []dns.RR{rr}}
	}
	pack := func(m *dns.Msg) []byte {
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	refused, status := good(), good()
	refused.Rcode = dns.RcodeRefused
	status.Opcode = dns.OpcodeStatus
	from := netip.MustParseAddrPort("10.0.0.5:5353")
	on := linkID{2, false}
	tests := []struct {
		name string
		in   packet
		want bool
	}{
		{"as it should be", packet{on, from, pack(good())}, true},
		{"another port", packet{on, netip.MustParseAddrPort("10.0.0.5:4711"), pack(good())}, false},
		{"not on the link", packet{on, netip.MustParseAddrPort("10.7.0.5:5353"), pack(good())}, false},
		{"an interface that is not looked at", packet{linkID{3, false}, from, pack(good())}, false},
		{"an error code", packet{on, from, pack(refused)}, false},
		{"another operation", packet{on, from, pack(status)}, false},
		{"cut short", packet{on, from, pack(good())[:20]}, false},
		{"empty", packet{on, from, nil}, false},
		{"too long", packet{on, from, append(pack(good()), bytes.Repeat([]byte{0}, maxPacket)...)}, false},
		{"a name that points at itself", packet{on, from, append(pack(&dns.Msg{MsgHdr: dns.MsgHdr{Response: true}})[:4],
			0, 0, 0, 1, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 0, 0, 5)}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, a *wire) {
				a.in.packets <- tt.in
				synctest.Wait()
				if got := a.state() != ""; got != tt.want {
					t.Errorf("reported: %v, want %v\n%s", got, tt.want, a.state())
				}
			})
		})
	}
}
