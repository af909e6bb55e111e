package network_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

func TestGateways(t *testing.T) {
	l := lab.New(t)
	lans := []netip.Prefix{lab.LAN0.IPv4, netip.MustParsePrefix("fe80::/64")}
	lab.WaitFor(t, 5*time.Second, "the hub's link", func() bool { return len(lookOnHub(t, l, lans...).Watched) > 1 })
	for _, tt := range []struct {
		name   string
		routes []string
		want   []string
	}{
		{"none", nil, nil},
		{"IPv4", []string{"route add default via 10.99.0.10"}, []string{"10.99.0.10"}},
		{"IPv6 too, link-local", []string{"-6 route add default via fe80::10 dev lan0"}, []string{"10.99.0.10", "fe80::10%lan0"}},
		{"a route to somewhere is none", []string{"route add 198.51.100.0/24 via 10.99.0.11"}, []string{"10.99.0.10", "fe80::10%lan0"}},
		{"nor is one of another table", []string{"route add default via 10.99.0.12 table 77"}, []string{"10.99.0.10", "fe80::10%lan0"}},
		{"a second one", []string{"route add default via 10.99.0.13 metric 9"}, []string{"10.99.0.10", "10.99.0.13", "fe80::10%lan0"}},
		{"not one in a network that is not looked at", []string{"addr add 192.168.7.2/24 dev lan0", "route add default via 192.168.7.1 metric 10"},
			[]string{"10.99.0.10", "10.99.0.13", "fe80::10%lan0"}},
	} {
		for _, r := range tt.routes {
			l.Hub().Run(t, "ip", strings.Fields(r)...)
		}
		var got []string
		for _, a := range lookOnHub(t, l, lans...).Gateways {
			got = append(got, a.String())
		}
		slices.Sort(got)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
