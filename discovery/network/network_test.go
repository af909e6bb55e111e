package network

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const upRunning = net.FlagUp | net.FlagRunning | net.FlagBroadcast | net.FlagMulticast

func described(name string, index int, kind string, addrs ...string) link {
	l := link{name: name, index: index, flags: upRunning, kind: kind}
	for _, a := range addrs {
		l.addrs = append(l.addrs, netip.MustParsePrefix(a))
	}
	return l
}

func prefixes(s ...string) (out []netip.Prefix) {
	for _, p := range s {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func TestChoose(t *testing.T) {
	down := described("eth9", 9, "", "192.168.9.2/24")
	down.flags = 0
	unplugged := described("eth9", 9, "", "192.168.9.2/24")
	unplugged.flags = net.FlagUp
	lo := described("lo", 1, "", "127.0.0.1/8")
	lo.flags |= net.FlagLoopback
	tests := []struct {
		name    string
		links   []link
		named   []netip.Prefix
		watched string // interface prefix own; …
		skipped string // interface prefix reason (part of it); …
	}{
		{"ethernet with IPv6", []link{described("eth0", 2, "", "192.168.1.2/24", "fd00::2/64", "fe80::2/64", "2001:db8::2/64")}, nil,
			"eth0 192.168.1.0/24 192.168.1.2; eth0 2001:db8::/64 2001:db8::2; eth0 fd00::/64 fd00::2; eth0 fe80::/64 fe80::2", ""},
		{"own addresses of one network", []link{described("eth0", 2, "", "192.168.1.2/24", "192.168.1.9/24", "192.168.1.10/32", "fd00::2/64", "fd00::3/128")}, nil,
			"eth0 192.168.1.0/24 192.168.1.2; eth0 192.168.1.0/24 192.168.1.9; eth0 192.168.1.0/24 192.168.1.10; eth0 fd00::/64 fd00::2; eth0 fd00::/64 fd00::3", ""},
		{"no network", []link{lo, down, described("eth1", 3, "")}, nil, "",
			"eth9 - switched off; eth1 - has no address"},
		{"cable out", []link{unplugged}, nil, "", "eth9 - no cable"},
		{"virtual", []link{described("docker0", 4, "a bridge", "172.17.0.1/16"), described("veth1", 5, "a container's cable (veth)", "10.0.0.1/24")}, nil, "",
			"docker0 - is a bridge; veth1 - is a container's cable"},
		{"wide", []link{described("eth0", 2, "", "10.1.2.3/16", "fe80::2/64")}, nil, "",
			"eth0 10.1.0.0/16 more than 1024; eth0 fe80::/64 no private IPv4 network"},
		{"as wide as may be", []link{described("eth0", 2, "", "10.1.2.3/22")}, nil, "eth0 10.1.0.0/22 10.1.2.3", ""},
		{"server on the Internet", []link{described("eth0", 2, "", "203.0.113.7/24", "2001:db8::2/64")}, nil, "",
			"eth0 203.0.113.0/24 public; eth0 2001:db8::/64 no private IPv4 network"},
		{"public IPv6 only", []link{described("eth0", 2, "", "2001:db8::2/64", "fe80::2/64")}, nil, "",
			"eth0 2001:db8::/64 no private; eth0 fe80::/64 no private"},
		{"link-local only", []link{described("eth0", 2, "", "fe80::2/64")}, nil, "eth0 fe80::/64 fe80::2", ""},
		{"named veth", []link{described("lan0", 2, "a container's cable (veth)", "10.99.0.2/24", "fe80::2/64"), described("eth0", 3, "", "192.168.1.2/24")}, prefixes("10.99.0.0/24"),
			"lan0 10.99.0.0/24 10.99.0.2; lan0 fe80::/64 fe80::2", "eth0 192.168.1.0/24 not among"},
		{"named with IPv6", []link{described("lan0", 2, "", "10.99.0.2/24", "fd00::2/64", "fe80::2/64")}, prefixes("10.99.0.0/24", "fd00::/64"),
			"lan0 10.99.0.0/24 10.99.0.2; lan0 fd00::/64 fd00::2", "lan0 fe80::/64 not among"},
		{"inside a named one", []link{described("eth0", 2, "", "10.1.2.3/16")}, prefixes("10.0.0.0/8"), "eth0 10.1.0.0/16 10.1.2.3", ""},
		{"part of a wide one", []link{described("eth0", 2, "", "10.1.2.3/16")}, prefixes("10.1.7.0/24"), "eth0 10.1.7.0/24 10.1.2.3", ""},
		{"named, not on link", []link{described("eth0", 2, "", "192.168.1.2/24")}, prefixes("192.168.7.0/24"), "routed 192.168.7.0/24 swept",
			"eth0 192.168.1.0/24 not among"},
		{"named, not on link and wide", []link{described("eth0", 2, "", "192.168.1.2/24")}, prefixes("10.7.0.0/16"), "routed 10.7.0.0/16",
			"eth0 192.168.1.0/24 not among"},
		{"five behind a router", nil, prefixes("10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24", "10.4.0.0/24", "10.5.0.0/24"),
			"routed 10.1.0.0/24 swept; routed 10.2.0.0/24 swept; routed 10.3.0.0/24 swept; routed 10.4.0.0/24 swept; routed 10.5.0.0/24", ""},
		{"named IPv6, not on link", []link{described("eth0", 2, "", "192.168.1.2/24")}, prefixes("192.168.1.0/24", "fd00::/64"),
			"eth0 192.168.1.0/24 192.168.1.2", "- fd00::/64 not directly connected"},
		{"named public IPv6 on link", []link{described("eth0", 2, "", "192.168.1.2/24", "2001:db8::2/64")}, prefixes("192.168.1.0/24", "2001:db8::/64"),
			"eth0 192.168.1.0/24 192.168.1.2; eth0 2001:db8::/64 2001:db8::2", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := choose(tt.links, tt.named)
			var watched []string
			for _, w := range got.Watched {
				watched = append(watched, w.Interface+" "+w.Prefix.String()+" "+w.Own.String())
				if own, ok := got.OnLink(w.Own); len(tt.named) == 0 && (!ok || own.Interface != w.Interface || !got.Own(w.Own)) {
					t.Errorf("OnLink(%v) = %v, %v", w.Own, own, ok)
				}
			}
			for _, p := range got.Routed {
				swept := ""
				if slices.Contains(got.Swept, p) {
					swept = " swept"
				}
				watched = append(watched, "routed "+p.String()+swept)
			}
			if diff := cmp.Diff(tt.watched, strings.Join(watched, "; ")); diff != "" {
				t.Errorf("looked at (-want +got):\n%s", diff)
			}
			want := strings.Split(tt.skipped, "; ")
			if tt.skipped == "" {
				want = nil
			}
			if len(want) != len(got.Skipped) {
				t.Fatalf("skipped = %v, want %d", got.Skipped, len(want))
			}
			for i, s := range got.Skipped {
				f := strings.SplitN(want[i], " ", 3)
				prefix := "-"
				if s.Prefix.IsValid() {
					prefix = s.Prefix.String()
				}
				if strings.Trim(f[0], "-") != s.Interface || f[1] != prefix || !strings.Contains(s.Reason, f[2]) {
					t.Errorf("skipped %q %s %q, want %q", s.Interface, prefix, s.Reason, want[i])
				}
			}
		})
	}
}

func TestCheckPrefix(t *testing.T) {
	for in, want := range map[string]string{
		"192.168.1.0/24":     "",
		"10.0.0.0/8":         "",
		"172.16.0.0/12":      "",
		"169.254.0.0/16":     "",
		"fd00:1::/48":        "",
		"fe80::/10":          "",
		"2001:db8:1:2::/64":  "",
		"192.168.1.7/24":     "192.168.1.0/24",
		"127.0.0.0/8":        "loopback",
		"::1/128":            "loopback",
		"0.0.0.0/0":          "not a home network",
		"::/0":               "not a home network",
		"8.8.8.0/24":         "not private",
		"192.0.2.0/24":       "not private",
		"172.0.0.0/8":        "not private",
		"100.64.0.0/10":      "not private",
		"2001:db8::/32":      "not private",
		"224.0.0.0/4":        "not a home network",
		"::ffff:8.8.8.0/120": "not private",
	} {
		err := CheckPrefix(netip.MustParsePrefix(in))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("CheckPrefix(%q) = %v, want %q", in, err, want)
		}
	}
	if err := CheckPrefix(netip.Prefix{}); err == nil {
		t.Error("CheckPrefix of nothing is fine")
	}
}

func TestLookRefusesAllBadPrefixes(t *testing.T) {
	_, err := Look(prefixes("8.8.8.0/24", "192.168.1.0/24", "127.0.0.0/8"))
	if err == nil || !strings.Contains(err.Error(), "8.8.8.0/24") || !strings.Contains(err.Error(), "127.0.0.0/8") || strings.Contains(err.Error(), `"192.168.1.0/24"`) {
		t.Errorf("Look: %v, want both bad prefixes named", err)
	}
}

func BenchmarkLook(b *testing.B) {
	for b.Loop() {
		if _, err := Look(nil); err != nil {
			b.Fatal(err)
		}
	}
}

// TestAddRouted: what somebody else says of the home's networks counts only where
// the hub itself sees nothing, and never for anybody else's network.
func TestAddRouted(t *testing.T) {
	container := []link{described("eth0", 2, "a container's cable (veth)", "172.30.33.2/23")}
	tests := []struct {
		name   string
		links  []link
		named  []netip.Prefix
		routed []netip.Prefix
		want   []netip.Prefix
	}{
		{"app on the network of the apps", container, nil, prefixes("192.168.1.0/24"), prefixes("192.168.1.0/24")},
		{"two networks, one twice", container, nil, prefixes("192.168.1.0/24", "10.0.0.0/22", "10.0.0.0/22"), prefixes("192.168.1.0/24", "10.0.0.0/22")},
		{"the hub sees the home itself", []link{described("eth0", 2, "", "192.168.1.2/24")}, nil, prefixes("10.0.0.0/24"), nil},
		{"the owner named one", container, prefixes("192.168.7.0/24"), prefixes("192.168.1.0/24"), prefixes("192.168.7.0/24")},
		{"public", container, nil, prefixes("203.0.113.0/24", "100.64.0.0/24", "169.254.0.0/24", "127.0.0.0/24"), nil},
		{"too wide", container, nil, prefixes("10.0.0.0/8", "192.168.0.0/16"), nil},
		{"IPv6", container, nil, prefixes("fd00::/64"), nil},
		{"that of the containers", container, nil, prefixes("172.30.32.0/23", "172.30.33.0/24"), nil},
		{"not a network", container, nil, []netip.Prefix{{}, netip.MustParsePrefix("192.168.1.7/24")}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := AddRouted(choose(tt.links, tt.named), tt.routed)
			if diff := cmp.Diff(tt.want, got.Routed, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
				t.Errorf("routed (-want +got):\n%s", diff)
			}
		})
	}
}
