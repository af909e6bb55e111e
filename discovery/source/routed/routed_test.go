package routed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/source/sourcetest"
)

// home is what answers in a network behind a router, as "ping" or as
// "443 open" by address; all is how every other address answers.
type home map[string]string

func (n home) connect(_ context.Context, to netip.AddrPort) error {
	how := n[to.Addr().String()]
	if how == "" {
		how = n["all"]
	}
	switch how {
	case fmt.Sprintf("%d open", to.Port()):
		return nil
	case fmt.Sprintf("%d refused", to.Port()):
		return &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	time.Sleep(timeout)
	return errors.New("no answer")
}

func (n home) ping(_ context.Context, all []netip.Addr, sent func(netip.Addr) error) (map[netip.Addr]bool, error) {
	if n["no ping"] != "" {
		return nil, errors.New("permission denied")
	}
	out := map[netip.Addr]bool{}
	for _, a := range all {
		if sent(a) == nil && n[a.String()] == "ping" {
			out[a] = true
		}
	}
	return out, nil
}

func TestSweep(t *testing.T) {
	vlan := netip.MustParsePrefix("192.168.7.0/28")
	for _, tt := range []struct {
		name       string
		listenOnly bool
		swept      []netip.Prefix
		first      home
		second     home // an hour later; nil for the same
		want       []string
		health     []string
	}{
		{"each way to answer", false, []netip.Prefix{vlan}, home{"192.168.7.1": "ping", "192.168.7.4": "443 open", "192.168.7.5": "22 refused"}, nil,
			[]string{"192.168.7.1 online=true ICMP echo reply", "192.168.7.4 online=true tcp/443: open", "192.168.7.5 online=true tcp/22: refused"}, []string{"ok "}},
		{"one goes away", false, []netip.Prefix{vlan}, home{"192.168.7.4": "443 open"}, home{},
			[]string{"192.168.7.4 online=true tcp/443: open", "192.168.7.4 online=false no answer to ping and on TCP ports 443, 80, 22 and 445"}, []string{"ok ", "ok "}},
		{"a firewall answers for all", false, []netip.Prefix{vlan}, home{"all": "443 refused", "192.168.7.4": "80 open"}, nil, nil,
			[]string{"degraded 13 of the 14 addresses of 192.168.7.0/28 answer in the same way (tcp/443: refused), as a firewall does in the place of all of them: nothing there is taken for a device."}},
		{"no ping", false, []netip.Prefix{vlan}, home{"no ping": "x", "192.168.7.4": "80 open"}, nil, []string{"192.168.7.4 online=true tcp/80: open"},
			[]string{"degraded This machine lets no ordinary program ping (sysctl net.ipv4.ping_group_range): in networks behind the router, devices without an answer on TCP ports 443, 80, 22 and 445 are not seen."}},
		{"nothing is sent", true, []netip.Prefix{vlan}, home{"192.168.7.1": "ping"}, nil, nil, nil},
		{"no network is named", false, nil, home{"192.168.7.1": "ping"}, nil, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got, health []string
				var mu sync.Mutex
				env := sourcetest.New().Env
				env.ListenOnly = tt.listenOnly
				env.Networks = func() discovery.Networks { return discovery.Networks{Routed: tt.swept, Swept: tt.swept} }
				env.Health = func(st discovery.Status, text string) { health = append(health, string(st)+" "+text) }
				env.Sent = func(netip.Addr, int, int) {}
				src, err := (&Config{}).New(env)
				if err != nil {
					t.Fatal(err)
				}
				s := src.(*source)
				span, start := 10*time.Minute, time.Now()
				if tt.second != nil {
					span = sweepEvery + 10*time.Minute
				}
				now := func() home {
					if time.Since(start) < sweepEvery {
						return tt.first
					}
					return tt.second
				}
				s.connect = func(ctx context.Context, to netip.AddrPort) error { return now().connect(ctx, to) }
				s.ping = func(ctx context.Context, all []netip.Addr, sent func(netip.Addr) error) (map[netip.Addr]bool, error) {
					return now().ping(ctx, all, sent)
				}
				ctx, cancel := context.WithTimeout(t.Context(), span)
				defer cancel()
				if err := s.Run(ctx, func(o discovery.Observation) {
					mu.Lock()
					defer mu.Unlock()
					n, _ := o.Facts.Entry(fact.DeviceOnline.Name())
					online, _ := n.Value.(bool)
					text := o.About[0].Value + " online=false " + n.Proof
					if online {
						text = o.About[0].Value + " online=true " + n.Proof
					}
					if o.Quiet == online {
						t.Errorf("%s: quiet is %v", text, o.Quiet)
					}
					got = append(got, text)
				}); err != nil {
					t.Error(err)
				}
				slices.Sort(health)
				if d := cmp.Diff(tt.want, got); d != "" {
					t.Errorf("reported (-want +got):\n%s", d)
				}
				if d := cmp.Diff(tt.health, health); d != "" {
					t.Errorf("health (-want +got):\n%s", d)
				}
			})
		})
	}
}

// TestPace: each connection waits for its turn among those of the house.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := sourcetest.New().Env
		turns, counted := 0, 0
		var mu sync.Mutex
		env.Connection = func(ctx context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			turns++
			return ctx.Err()
		}
		env.Sent = func(_ netip.Addr, packets, connections int) {
			mu.Lock()
			defer mu.Unlock()
			counted += 1000*packets + connections
		}
		src, err := (&Config{}).New(env)
		if err != nil {
			t.Fatal(err)
		}
		s := src.(*source)
		s.connect, s.ping = home{}.connect, home{}.ping
		s.sweep(t.Context(), netip.MustParsePrefix("192.168.7.0/29"), func(discovery.Observation) {})
		if turns != 24 || counted != 6024 {
			t.Errorf("%d turns and %d packets and connections for 6 addresses, want 24 and 6024", turns, counted)
		}
	})
}

func FuzzReplied(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 1, 0, 2, 't', 'h'})
	f.Add(append([]byte{0, 0, 0, 0, 0, 1, 0, 2}, payload...))
	f.Add(append([]byte{3, 3, 0, 0, 0, 0, 0, 0}, make([]byte, 40)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, ok := replied(b, &net.UDPAddr{IP: net.IPv4(192, 168, 7, 1)}); ok && b[0] != 0 {
			t.Errorf("taken for an echo reply: %x", b)
		}
	})
}
