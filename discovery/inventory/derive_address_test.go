package inventory

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

func TestPublicIPv4(t *testing.T) {
	for _, tt := range []struct {
		name  string
		addrs []string // "?" before one that is only claimed
		want  any
	}{
		{"private", []string{"192.168.1.9", "fe80::9"}, false},
		{"public", []string{"8.8.4.4"}, true},
		{"private and public", []string{"10.0.0.9", "8.8.4.4"}, true},
		{"shared by a provider (RFC 6598)", []string{"100.64.0.9"}, false},
		{"for documentation", []string{"192.0.2.9", "198.51.100.9", "203.0.113.9"}, false},
		{"link-local", []string{"169.254.1.9"}, false},
		{"for tests, and reserved", []string{"198.18.0.9", "240.0.0.9", "192.0.0.9"}, false},
		{"IPv6 alone", []string{"2001:470::9"}, false},
		{"the router", []string{"8.8.4.1"}, false},
		{"only claimed", []string{"?8.8.4.4"}, nil},
		{"claimed beside its own", []string{"10.0.0.9", "?8.8.4.4"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &record{id: "mac_02000000000a", ids: map[discovery.Identifier]bool{mac(t, macA): false}}
			for _, a := range tt.addrs {
				claimed := a[0] == '?'
				if claimed {
					a = a[1:]
				}
				r.ids[ip(a)] = claimed
			}
			e := fact.New("test", noon)
			r.addAddressWords(discovery.Networks{Gateways: []netip.Addr{netip.MustParseAddr("8.8.4.1")}}, Traits{}, e)
			var got any
			if v, ok := fact.AddressPublic.Get(e); ok {
				got = v
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("address.public_ipv4 (-want +got):\n%s", d)
			}
		})
	}
}
