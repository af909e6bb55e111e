package routed

import (
	"context"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/lab"
	"github.com/thingwarden/thingwarden/discovery/network"
	"github.com/thingwarden/thingwarden/discovery/source/sourcetest"
)

func TestMain(m *testing.M) { lab.Main(m) }

// TestBehindARouter: a named network behind a router is swept; its devices are
// found by their pings, and by a port or a refusal where they don't reply to these.
func TestBehindARouter(t *testing.T) {
	l := lab.New(t)
	const behind = "10.97.0."
	router, device, quiet := l.Host("router"), l.Host("device", lab.WithAddrs("10.96.0.3/24"), lab.Silent()), l.Host("quiet", lab.WithAddrs("10.96.0.4/24"), lab.Silent())
	router.Run(t, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
	// The devices share the wire with the router, in a network in which the hub is not.
	router.Run(t, "ip", "addr", "add", behind+"1/28", "dev", "lan0")
	for n, h := range map[string]*lab.Host{"3": device, "4": quiet} {
		h.Run(t, "ip", "addr", "flush", "dev", "lan0")
		h.Run(t, "ip", "addr", "add", behind+n+"/28", "dev", "lan0")
		h.Run(t, "ip", "route", "add", "default", "via", behind+"1")
	}
	quiet.Run(t, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all")
	l.Hub().Run(t, "ip", "route", "add", behind+"0/28", "via", router.IP().String())

	for _, tt := range []struct {
		name, groups string
		status       discovery.Status
		want         map[string]string
	}{
		{"with ping", "0 2147483647", discovery.OK, map[string]string{behind + "1": "ICMP echo reply", behind + "3": "ICMP echo reply", behind + "4": "tcp/443: refused"}},
		{"without", "1 0", discovery.Degraded, map[string]string{behind + "1": "tcp/443: refused", behind + "3": "tcp/443: refused", behind + "4": "tcp/443: refused"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.WriteFile("/proc/sys/net/ipv4/ping_group_range", []byte(tt.groups), 0o600); err != nil {
				t.Skip(err)
			}
			env := sourcetest.New().Env
			env.Networks = func() discovery.Networks {
				n, err := network.Look([]netip.Prefix{lab.LAN0.IPv4, netip.MustParsePrefix(behind + "0/28")})
				if err != nil {
					t.Error(err)
				}
				return n
			}
			var status discovery.Status
			env.Health = func(s discovery.Status, _ string) { status = s }
			src, err := (&Config{}).New(env)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			if err := src.Run(ctx, func(o discovery.Observation) {
				n, _ := o.Facts.Entry(fact.DeviceOnline.Name())
				if got[o.About[0].Value] = n.Proof; len(got) == len(tt.want) {
					cancel()
				}
			}); err != nil {
				t.Error(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("found (-want +got):\n%s", d)
			}
			if status != tt.status {
				t.Errorf("health is %s, want %s", status, tt.status)
			}
		})
	}
}
