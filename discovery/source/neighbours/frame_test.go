package neighbours

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/tools/txtar"
)

// frames reads testdata/frames.txtar: one frame a file, in hex with
// white space and comments behind #.
func frames(t testing.TB) map[string][]byte {
	t.Helper()
	a, err := txtar.ParseFile("testdata/frames.txtar")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, f := range a.Files {
		var digits strings.Builder
		for line := range strings.Lines(string(f.Data)) {
			line, _, _ = strings.Cut(line, "#")
			digits.WriteString(strings.Join(strings.Fields(line), ""))
		}
		b, err := hex.DecodeString(digits.String())
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		all[f.Name] = b
	}
	return all
}

func TestParseFrame(t *testing.T) {
	cam := hwaddr{0, 0, 0x5e, 0, 0x53, 2}
	ip, ll := netip.MustParseAddr("10.99.0.10"), netip.MustParseAddr("fe80::200:5eff:fe00:5302")
	want := map[string]sighting{
		"arp request":         {addr: ip, proof: "arp who-has 10.99.0.2 tell 10.99.0.10 from 00:00:5e:00:53:02"},
		"arp reply":           {addr: ip, proof: "arp reply 10.99.0.10 is-at 00:00:5e:00:53:02"},
		"arp announcement":    {addr: ip, proof: "arp announcement 10.99.0.10 is-at 00:00:5e:00:53:02"},
		"arp probe":           {soon: ip, proof: "arp probe 10.99.0.10 from 00:00:5e:00:53:02"},
		"router solicitation": {addr: ll, proof: "icmpv6 router solicitation from fe80::200:5eff:fe00:5302 at 00:00:5e:00:53:02"},
		"duplicate address detection": {soon: ll,
			proof: "icmpv6 duplicate address detection of fe80::200:5eff:fe00:5302 from 00:00:5e:00:53:02"},
		"neighbour advertisement": {addr: ll, proof: "icmpv6 neighbour advertisement fe80::200:5eff:fe00:5302 is-at 00:00:5e:00:53:02"},
		"mdns":                    {addr: ip, proof: "udp/5353 from 10.99.0.10 at 00:00:5e:00:53:02"},
		"mdns ipv6":               {addr: ll, proof: "udp/5353 from fe80::200:5eff:fe00:5302 at 00:00:5e:00:53:02"},
		"dhcp discover": {name: "porch-cam", named: `dhcp discover option 12 "porch-cam" option 60 "udhcp 1.35.0"`,
			dhcp:  dhcpClient{host: "porch-cam", class: "udhcp 1.35.0", params: "1,3,6"},
			proof: "dhcp discover from 00:00:5e:00:53:02"},
		"dhcp request with fqdn": {name: "plug", named: `dhcp request option 81 "plug"`, soon: ip,
			dhcp:  dhcpClient{host: "plug"},
			proof: "dhcp request from 00:00:5e:00:53:02"},
		"dhcpv6 solicit": {addr: ll, name: "lamp", named: `dhcpv6 solicit option 39 "lamp"`,
			proof: "dhcpv6 solicit from fe80::200:5eff:fe00:5302 at 00:00:5e:00:53:02"},
	}
	want["dhcpv6 with a second name"] = want["dhcpv6 solicit"]
	for name, b := range frames(t) {
		t.Run(name, func(t *testing.T) {
			got, ok := parseFrame(b)
			w, good := want[name]
			if ok != good {
				t.Fatalf("parseFrame = %+v, %v, want %v", got, ok, good)
			}
			if !good {
				return
			}
			w.mac = cam
			if diff := cmp.Diff(w, got, cmp.AllowUnexported(sighting{}, dhcpClient{}), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("sighting (-want +got):\n%s", diff)
			}
			for n := range b {
				if s, ok := parseFrame(b[:n:n]); ok && len(s.name) > len(got.name) {
					t.Errorf("cut at %d: %+v", n, s)
				}
			}
		})
		delete(want, name)
	}
	for name := range want {
		t.Errorf("no frame %q in testdata", name)
	}
}

// Threat T5: a length that lies is not believed.
func TestFalseUDPLength(t *testing.T) {
	const at = etherHeader + 20 + 4
	for length, want := range map[uint16]bool{0: false, 7: false, 8: true, 0xffff: false} {
		b := slices.Clip(slices.Clone(frames(t)["mdns"]))
		binary.BigEndian.PutUint16(b[at:], length)
		if s, ok := parseFrame(b); ok != want {
			t.Errorf("length %d: %+v, %v", length, s, ok)
		}
	}
}

func TestHostname(t *testing.T) {
	for in, want := range map[string]string{
		"cam": "cam", "cam.home.arpa": "cam", "": "", ".": "", "localhost": "", "localhost.localdomain": "", "*": "",
		"a\x1b[31mb": "a[31mb", strings.Repeat("x", 100): strings.Repeat("x", 63), "caf\u00e9": "caf\u00e9", "\xff\xfe": "",
	} {
		if got := hostname(in); got != want {
			t.Errorf("hostname(%q) = %q, want %q", in, got, want)
		}
	}
}

// checkSighting holds for whatever a stranger sends.
func checkSighting(t *testing.T, b []byte, s sighting, ok bool) {
	t.Helper()
	switch {
	case !ok:
	case !s.mac.unicast() || s.mac != hwaddr(b[6:12]):
		t.Errorf("mac %v is not the sender of %x", s.mac, b)
	case s.addr.IsValid() && s.addr.IsUnspecified(), s.addr.Zone() != "":
		t.Errorf("address %v", s.addr)
	case s.proof == "" || len(s.name) > 4*63 || (s.name == "") != (s.named == ""):
		t.Errorf("sighting %+v", s)
	}
}

func FuzzFrame(f *testing.F) {
	for _, b := range frames(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, ok := parseFrame(b)
		checkSighting(t, b, s, ok)
	})
}

// fuzzBody fuzzes what stands behind the first n bytes of a good frame, with the
// lengths of IP and UDP made to fit.
func fuzzBody(f *testing.F, name string, n int, fit func(frame []byte)) {
	good := frames(f)[name]
	f.Add(good[n:])
	f.Fuzz(func(t *testing.T, body []byte) {
		b := append(append([]byte(nil), good[:n]...), body...)
		if len(b) > frameMax {
			return
		}
		fit(b)
		s, ok := parseFrame(b)
		checkSighting(t, b, s, ok)
	})
}

const frameMax = 1514

func putLength(b []byte, at, n int) { b[at], b[at+1] = byte(n>>8), byte(n) }

func FuzzARP(f *testing.F) { fuzzBody(f, "arp reply", 14, func([]byte) {}) }

func FuzzNeighbourDiscovery(f *testing.F) {
	fuzzBody(f, "neighbour advertisement", 54, func(b []byte) { putLength(b, 18, len(b)-54) })
}

func FuzzDHCP4(f *testing.F) {
	fuzzBody(f, "dhcp discover", 42, func(b []byte) { putLength(b, 16, len(b)-14); putLength(b, 38, len(b)-34) })
}

func FuzzDHCP6(f *testing.F) {
	fuzzBody(f, "dhcpv6 solicit", 62, func(b []byte) { putLength(b, 18, len(b)-54); putLength(b, 58, len(b)-54) })
}
