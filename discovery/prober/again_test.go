package prober

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// A device that gets another address is asked at that one alone, and what it
// answered at the others counts as before.
func TestNewAddressAlone(t *testing.T) {
	networks := testLAN
	networks.Watched = append(slices.Clip(networks.Watched),
		discovery.Network{Interface: "eth0", Prefix: netip.MustParsePrefix("fe80::/64"), Own: netip.MustParseAddr("fe80::1")})
	at := func(addrs ...string) discovery.Device {
		d := device(10)
		d.IDs = d.IDs[:1]
		for _, a := range addrs {
			d.IDs = append(d.IDs, discovery.IP(netip.MustParseAddr(a)))
		}
		return d
	}
	const four, other, six = "192.0.2.10", "192.0.2.11", "fe80::a%eth0"
	for _, tt := range []struct {
		name   string
		open   map[string]bool // by address
		then   discovery.Device
		after  time.Duration
		want   []string // asked then
		telnet any
	}{
		{"closed at both", nil, at(four, six), 5 * time.Minute, []string{"[fe80::a%eth0]:23"}, false},
		{"open at the new one", map[string]bool{six: true}, at(four, six), 5 * time.Minute, []string{"[fe80::a%eth0]:23"}, true},
		{"open at the known one", map[string]bool{four: true}, at(four, six), 5 * time.Minute, []string{"[fe80::a%eth0]:23"}, true},
		{"long after", nil, at(four, six), 2*time.Hour - time.Minute, []string{"192.0.2.10:23", "[fe80::a%eth0]:23"}, false},
		{"a second IPv4 address", nil, at(four, other), 5 * time.Minute, []string{"192.0.2.10:23", "192.0.2.11:23"}, false},
		{"another one in its place", map[string]bool{four: true}, at(other), 5 * time.Minute, []string{"192.0.2.11:23"}, false},
		{"the same", nil, at(four), 5 * time.Minute, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				telnet := probeOn("telnet", 23)
				telnet.Every = 2 * time.Hour
				h := newHouse(telnet)
				h.opt.Networks = func() discovery.Networks { return networks }
				refused := h.opt.Dial
				h.opt.Dial = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
					_, err := refused(ctx, to)
					if tt.open[to.Addr().String()] {
						client, server := net.Pipe()
						_ = server.Close()
						return client, nil
					}
					return nil, err
				}
				defer h.run(t)()
				h.Update(at(four), evidence(nil))
				h.take()
				time.Sleep(tt.after)
				h.take()
				h.Update(tt.then, evidence(nil))
				time.Sleep(2 * time.Second)
				probed, _ := h.take()
				var asked []string
				for _, p := range probed {
					_, to, _ := strings.Cut(p, " ")
					asked = append(asked, to)
				}
				if diff := cmp.Diff(tt.want, asked); diff != "" {
					t.Errorf("asked (-want +got):\n%s", diff)
				}
				h.mu.Lock()
				defer h.mu.Unlock()
				var got any
				if v, ok := fact.TelnetOpen.Get(h.facts["mac_00005e00530a"]); ok {
					got = v
				}
				if got != tt.telnet {
					t.Errorf("telnet.open = %v, want %v", got, tt.telnet)
				}
			})
		})
	}
}

// What an address has answered that the device has no more counts no more, and
// nobody is asked for that.
func TestLostAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		telnet := probeOn("telnet", 23)
		h := newHouse(telnet)
		networks := testLAN
		networks.Watched = append(slices.Clip(networks.Watched),
			discovery.Network{Interface: "eth0", Prefix: netip.MustParsePrefix("fe80::/64"), Own: netip.MustParseAddr("fe80::1")})
		h.opt.Networks = func() discovery.Networks { return networks }
		refused := h.opt.Dial
		h.opt.Dial = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			_, err := refused(ctx, to)
			if to.Addr().Is6() {
				client, server := net.Pipe()
				_ = server.Close()
				return client, nil
			}
			return nil, err
		}
		defer h.run(t)()
		both := device(10)
		both.IDs = append(both.IDs, discovery.IP(netip.MustParseAddr("fe80::a%eth0")))
		h.Update(both, evidence(nil))
		time.Sleep(5 * time.Minute)
		if probed, _ := h.take(); len(probed) != 2 {
			t.Errorf("asked %q at first, want both addresses", probed)
		}
		if open, _ := fact.TelnetOpen.Get(h.facts["mac_00005e00530a"]); !open {
			t.Error("not open with both addresses")
		}
		h.Update(device(10), evidence(nil))
		time.Sleep(2 * time.Second)
		if probed, finished := h.take(); len(probed) != 0 || len(finished) != 1 {
			t.Errorf("asked %q, told %q; want nothing asked and the rest told", probed, finished)
		}
		if open, ok := fact.TelnetOpen.Get(h.facts["mac_00005e00530a"]); open || !ok {
			t.Errorf("open %t, known %t with the address that is left", open, ok)
		}
	})
}

// What was wrong is asked first when the owner has a device checked now.
func TestRecheckAsksFirstWhatWasWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(probeOn("ftp", 21), probeOn("mqtt", 1883), probeOn("telnet", 23))
		defer h.run(t)()
		known := evidence(func(e *fact.Evidence) {
			e.Put(fact.Entry{Name: fact.TelnetOpen.Name(), Value: true, By: "telnet", At: time.Now()})
		})
		h.Update(device(10), known)
		time.Sleep(10 * time.Second)
		_, first := h.take()
		h.Recheck("mac_00005e00530a")
		time.Sleep(10 * time.Second)
		_, again := h.take()
		const d = " mac_00005e00530a"
		if diff := cmp.Diff([]string{"ftp" + d, "mqtt" + d, "telnet" + d}, first); diff != "" {
			t.Errorf("at first (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"telnet" + d, "ftp" + d, "mqtt" + d}, again); diff != "" {
			t.Errorf("checked now (-want +got):\n%s", diff)
		}
	})
}
