package discovery

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Threat T17: what a program calls its door is cleaned, cut, and cannot pass for
// a part of what we say of it.
func TestDoorText(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "IPCam web", `, "IPCam web"`},
		{"none", "", ""},
		{"nothing but invisible", "\u202e\u200b", ""},
		{"escape sequence", "a\x1b[31mb", `, "a[31mb"`},
		{"bidi", "a\u202egpj.exe", `, "agpj.exe"`},
		{"lines", "a\r\nb", `, "a b"`},
		{"quotes", `a", for good, only from 192.0.2.1, "b`, `, "a', for good, only from 192.0.2.1, 'b"`},
		{"long", strings.Repeat("é", 1000), `, "` + strings.Repeat("é", maxDoorText) + `"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := Door{Client: netip.MustParseAddr("192.0.2.20"), Proto: "tcp", Outside: 1, Inside: 2, Text: tt.in}
			if got, want := d.String(), "192.0.2.20 tcp 1 to 2, for a time"+tt.want; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestParseDoor(t *testing.T) {
	for _, s := range []string{
		`192.0.2.20 tcp 8443 to 443, for good, "web"`, "192.0.2.77 udp 9 to 9, for a time", "192.0.2.20 tcp 1 to 65535, for good, only from 198.51.100.7",
		`2001:db8::1 udp 1 to 2, for a time, only from 2001:db8::2, "a, for good, 'b'"`, `192.0.2.20 tcp 0 to 0, for good, "a, only from b"`,
	} {
		d, ok := ParseDoor(s)
		if !ok || d.String() != s {
			t.Errorf("ParseDoor(%q) = %+v, %v", s, d, ok)
		}
	}
	for _, s := range []string{
		"", "x", "192.0.2.20", "192.0.2.20 tcp 1 to 2", "x tcp 1 to 2, for good", "192.0.2.20 sctp 1 to 2, for good",
		"192.0.2.20 tcp 1 to 65536, for good", "192.0.2.20 tcp -1 to 2, for good", "192.0.2.20 tcp 1 to 2, forever",
		"192.0.2.20 tcp 1 to 2, for good, only from x", `192.0.2.20 tcp 1 to 2, for good"`,
	} {
		if d, ok := ParseDoor(s); ok {
			t.Errorf("ParseDoor(%q) = %+v", s, d)
		}
	}
}

func FuzzDoor(f *testing.F) {
	f.Add(uint16(1), uint16(2), "a\"b", `192.0.2.20 tcp 8443 to 443, for good, "web"`)
	f.Fuzz(func(t *testing.T, outside, inside uint16, text, s string) {
		d := Door{Client: netip.MustParseAddr("192.0.2.20"), Proto: "tcp", Outside: outside, Inside: inside, Text: text}
		got, ok := ParseDoor(d.String())
		if !ok || got.String() != d.String() {
			t.Errorf("%q was read as %+v, %v", d.String(), got, ok)
		}
		if fact.Clean(d.String(), fact.MaxText) != d.String() {
			t.Errorf("%q is cut or not clean", d.String())
		}
		if p, ok := ParseDoor(s); ok {
			if again, ok := ParseDoor(p.String()); !ok || again.String() != p.String() {
				t.Errorf("%q was read as %+v", s, p)
			}
		}
	})
}
