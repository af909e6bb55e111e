package discovery

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

func TestPortMapping(t *testing.T) {
	camera, outside := netip.MustParseAddr("192.0.2.20"), netip.MustParseAddr("198.51.100.7")
	type texts struct{ Token, ClientToken, Proof string }
	for _, tt := range []struct {
		name string
		in   PortMapping
		want texts
	}{
		{"leased", PortMapping{Client: camera, Proto: "tcp", External: 8554, Internal: 554},
			texts{"tcp/8554>554", "192.0.2.20 tcp/8554>554", "tcp/8554>554, leased"}},
		{"permanent, described", PortMapping{Client: camera, Proto: "udp", External: 1, Internal: 65535, Permanent: true, Description: "IPCam web"},
			texts{"udp/1>65535", "192.0.2.20 udp/1>65535", `udp/1>65535, permanent, "IPCam web"`}},
		{"from one address", PortMapping{Client: camera, Proto: "tcp", External: 22, Internal: 22, From: outside},
			texts{"tcp/22>22 from 198.51.100.7", "192.0.2.20 tcp/22>22 from 198.51.100.7", "tcp/22>22 from 198.51.100.7, leased"}},
		{"IPv6", PortMapping{Client: netip.MustParseAddr("2001:db8::1"), Proto: "udp", External: 1, Internal: 2},
			texts{"udp/1>2", "2001:db8::1 udp/1>2", "udp/1>2, leased"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, texts{tt.in.Token(), tt.in.ClientToken(), tt.in.Proof()}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Threat T17: what a program calls its port mapping is cleaned, cut, and cannot pass
// for a part of what we say of it.
func TestPortMappingDescription(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "IPCam web", `, "IPCam web"`},
		{"none", "", ""},
		{"nothing but invisible", "\u202e\u200b", ""},
		{"escape sequence", "a\x1b[31mb", `, "a[31mb"`},
		{"bidi", "a\u202egpj.exe", `, "agpj.exe"`},
		{"lines", "a\r\nb", `, "a b"`},
		{"quotes", `a", permanent, "b`, `, "a\", permanent, \"b"`},
		{"long", strings.Repeat("é", 1000), `, "` + strings.Repeat("é", MaxDescription) + `"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := PortMapping{Client: netip.MustParseAddr("192.0.2.20"), Proto: "tcp", External: 1, Internal: 2, Description: tt.in}
			got := m.Proof()
			if want := "tcp/1>2, leased" + tt.want; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if fact.Clean(got, fact.MaxText) != got {
				t.Errorf("%q is cut or not clean", got)
			}
		})
	}
}

func TestAddressDispute(t *testing.T) {
	owner, _ := MAC("00:00:5e:00:53:01")
	d := AddressDispute{Addr: netip.MustParseAddr("192.0.2.1"), Owner: owner}
	if got, want := d.Token(), "192.0.2.1 00:00:5e:00:53:01"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
