package discovery

import (
	"net/netip"
	"strings"
	"testing"
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
