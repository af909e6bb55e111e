package prober

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

var (
	testLAN  = discovery.Networks{Watched: []discovery.Network{{Interface: "lan0", Prefix: netip.MustParsePrefix("192.0.2.0/24"), Own: netip.MustParseAddr("192.0.2.1")}}}
	testAddr = netip.MustParseAddr("192.0.2.10")
)

func testDevice(addrs ...string) discovery.Device {
	d := discovery.Device{ID: "mac_00005e005301", IDs: []discovery.Identifier{{Kind: discovery.MACID, Value: "00005e005301"}}}
	for _, a := range addrs {
		d.IDs = append(d.IDs, discovery.IP(netip.MustParseAddr(a)))
	}
	return d
}

func testTarget(dial DialFunc) *Target {
	return (&Target{
		device: testDevice(testAddr.String()), addr: testAddr, dial: dial, networks: func() discovery.Networks { return testLAN },
		pace: newPace(4), house: newPace(32), now: time.Now, sent: func(netip.Addr, int, int) {},
		log: slog.New(slog.DiscardHandler), probe: "test", touch: Read,
	}).init(nil)
}

func refuse() error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
}

// serving dials a server that runs serve once for each connection.
func serving(serve func(net.Conn)) DialFunc {
	return func(context.Context, netip.AddrPort) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			serve(server)
		}()
		return client, nil
	}
}

// saying dials a server that reads what comes and says something meanwhile.
func saying(reply string) DialFunc {
	return serving(func(c net.Conn) {
		done := make(chan struct{})
		go func() { defer close(done); _, _ = io.Copy(io.Discard, c) }()
		_, _ = io.WriteString(c, reply)
		_ = c.Close()
		<-done
	})
}

func TestGuard(t *testing.T) {
	networks := discovery.Networks{Watched: []discovery.Network{
		{Interface: "eth0", Prefix: netip.MustParsePrefix("192.168.1.0/24"), Own: netip.MustParseAddr("192.168.1.2")},
		{Interface: "eth0", Prefix: netip.MustParsePrefix("fe80::/64"), Own: netip.MustParseAddr("fe80::2")},
		{Interface: "odd0", Prefix: netip.MustParsePrefix("0.0.0.0/0")},
		{Interface: "odd0", Prefix: netip.MustParsePrefix("::/0")},
	}}
	narrow := discovery.Networks{Watched: networks.Watched[:2]}
	routed := discovery.Networks{Routed: []netip.Prefix{netip.MustParsePrefix("192.168.7.0/24")}}
	for _, tt := range []struct {
		name     string
		id       discovery.ID
		networks discovery.Networks
		addr     string
		port     uint16
		ok       bool
	}{
		{"its own address", "x", narrow, "192.168.1.10", 80, true},
		{"link-local with its interface", "x", narrow, "fe80::10%eth0", 80, true},
		{"link-local elsewhere", "x", narrow, "fe80::10%eth1", 80, false},
		{"link-local without interface", "x", narrow, "fe80::10", 80, false},
		{"not looked at", "x", narrow, "192.168.2.10", 80, false},
		{"public", "x", narrow, "198.51.100.1", 80, false},
		{"the hub", "x", narrow, "192.168.1.2", 80, false},
		{"the hub for itself", discovery.Hub, narrow, "192.168.1.2", 80, true},
		{"another for the hub", discovery.Hub, narrow, "192.168.1.10", 80, false},
		{"broadcast", "x", narrow, "192.168.1.255", 80, false},
		{"network", "x", narrow, "192.168.1.0", 80, false},
		{"by way of a router", "x", routed, "192.168.7.10", 80, true},
		{"beside what is routed", "x", routed, "192.168.1.10", 80, false},
		{"broadcast beyond a router", "x", routed, "192.168.7.255", 80, false},
		{"network beyond a router", "x", routed, "192.168.7.0", 80, false},
		{"printer beyond a router", "x", routed, "192.168.7.10", 9100, false},
		{"beyond a router for the hub", discovery.Hub, routed, "192.168.7.10", 80, false},
		{"loopback", "x", networks, "127.0.0.1", 80, false},
		{"loopback for the hub", discovery.Hub, networks, "127.0.0.1", 80, false},
		{"loopback in IPv6", "x", networks, "::1", 80, false},
		{"unspecified", "x", networks, "0.0.0.0", 80, false},
		{"multicast", "x", networks, "224.0.0.251", 80, false},
		{"multicast in IPv6", "x", networks, "ff02::1", 80, false},
		{"cloud metadata", "x", networks, "169.254.169.254", 80, false},
		{"mapped", "x", networks, "::ffff:192.168.1.10", 80, false},
		{"mapped loopback", "x", networks, "::ffff:127.0.0.1", 80, false},
		{"no port", "x", narrow, "192.168.1.10", 0, false},
		{"before the printers' ports", "x", narrow, "192.168.1.10", 9099, true},
		{"printer", "x", narrow, "192.168.1.10", 9100, false},
		{"printer's last", "x", narrow, "192.168.1.10", 9107, false},
		{"S7", "x", narrow, "192.168.1.10", 102, false},
		{"Modbus", "x", narrow, "192.168.1.10", 502, false},
		{"EtherNet/IP", "x", narrow, "192.168.1.10", 44818, false},
		{"BACnet", "x", narrow, "192.168.1.10", 47808, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := netip.MustParseAddr(tt.addr)
			d := discovery.Device{ID: tt.id, IDs: []discovery.Identifier{{Kind: discovery.IPID, Value: tt.addr}}}
			if err := guard(d, tt.networks, a, tt.port); (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrForbidden) {
				t.Errorf("guard: %v", err)
			}
			other := discovery.Device{ID: tt.id, IDs: []discovery.Identifier{{Kind: discovery.IPID, Value: "192.168.1.99"}}}
			if guard(other, tt.networks, a, tt.port) == nil {
				t.Error("allowed for a device that does not have the address")
			}
		})
	}
}

func TestFirstAddress(t *testing.T) {
	claimed := func(s string) discovery.Identifier { return discovery.Claimed(netip.MustParseAddr(s)) }
	for _, tt := range []struct {
		name string
		ids  []discovery.Identifier
		want string
	}{
		{"none", nil, ""},
		{"IPv4 first", testDevice("2001:db8::1", "192.0.2.10").IDs, "192.0.2.10"},
		{"only what is looked at", testDevice("198.51.100.7", "192.0.2.11").IDs, "192.0.2.11"},
		{"shown before claimed", append(testDevice("192.0.2.20").IDs, claimed("192.0.2.5")), "192.0.2.20"},
		{"claimed if there is no other", []discovery.Identifier{claimed("192.0.2.5")}, "192.0.2.5"},
		{"never the hub's", []discovery.Identifier{claimed("192.0.2.1")}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := FirstAddress(discovery.Device{ID: "x", IDs: tt.ids}, testLAN)
			if ok != (tt.want != "") || ok && got.String() != tt.want {
				t.Errorf("got %v, %v; want %q", got, ok, tt.want)
			}
		})
	}
}

func TestBannerLimits(t *testing.T) {
	for _, tt := range []struct {
		name string
		dial DialFunc
		want string
		took time.Duration
	}{
		{"short, then waits", serving(func(c net.Conn) { _, _ = io.WriteString(c, "login:"); _, _ = io.Copy(io.Discard, c) }), "login:", bannerTimeout},
		{"in two parts", serving(func(c net.Conn) {
			_, _ = io.WriteString(c, "log")
			time.Sleep(time.Second)
			_, _ = io.WriteString(c, "in:")
		}), "login:", time.Second},
		{"endless", serving(func(c net.Conn) {
			for {
				if _, err := io.WriteString(c, "xxxxxxx"); err != nil {
					return
				}
			}
		}), strings.Repeat("x", maxBanner), 0},
		{"slow", serving(func(c net.Conn) {
			for {
				if _, err := io.WriteString(c, "x"); err != nil {
					return
				}
				time.Sleep(800 * time.Millisecond)
			}
		}), "xxxx", bannerTimeout},
		{"hangs up", serving(func(net.Conn) {}), "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				defer time.Sleep(time.Hour) // the servers come to their end
				target := testTarget(tt.dial)
				start := time.Now()
				got, err := target.Banner(t.Context(), 23)
				if err != nil || string(got) != tt.want || time.Since(start) != tt.took {
					t.Errorf("%q, %v after %v; want %q after %v", got, err, time.Since(start), tt.want, tt.took)
				}
				if again, _ := target.Banner(t.Context(), 23); string(again) != tt.want || target.connections != 1 {
					t.Errorf("%q with %d connections the second time", again, target.connections)
				}
			})
		})
	}
}

// A silent device costs five times three seconds and no more; one that has
// answered once is not waited for that long.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := map[uint16]bool{80: true}
		target := testTarget(func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			time.Sleep(50 * time.Millisecond)
			if open[to.Port()] {
				return nil, refuse()
			}
			<-ctx.Done()
			return nil, ctx.Err()
		})
		start := time.Now()
		dial := func(port uint16, want error, took time.Duration) {
			t.Helper()
			before := time.Now()
			if _, err := target.Banner(t.Context(), port); !errors.Is(err, want) {
				t.Errorf("port %d: %v, want %v", port, err, want)
			}
			if got := time.Since(before); got != took {
				t.Errorf("port %d took %v, want %v", port, got, took)
			}
		}
		dial(1, ErrNoAnswer, connectTimeout)
		dial(1, ErrNoAnswer, 0) // not asked again
		dial(80, ErrClosed, 50*time.Millisecond)
		dial(80, ErrClosed, 0)
		for port := range uint16(4) {
			dial(2+port, ErrNoAnswer, 8*50*time.Millisecond)
		}
		dial(6, ErrNoAnswer, 0) // the rest waits
		if target.connections != 6 || !target.cut {
			t.Errorf("%d connections, cut %v, in %v", target.connections, target.cut, time.Since(start))
		}
	})
}

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		start := time.Now()
		target := testTarget(func(context.Context, netip.AddrPort) (net.Conn, error) {
			at = append(at, time.Since(start))
			return nil, refuse()
		})
		for port := range uint16(maxPorts + 5) {
			_, err := target.Dial(t.Context(), 1000+port)
			if want := map[bool]error{true: ErrClosed, false: ErrNotProbed}[port < maxPorts]; !errors.Is(err, want) {
				t.Errorf("port number %d: %v, want %v", port, err, want)
			}
		}
		for i := 4; i < len(at); i++ {
			if at[i]-at[i-4] < time.Second {
				t.Fatalf("more than 4 connections in a second: %v", at[i-4:i+1])
			}
		}
		if len(at) != maxPorts || at[len(at)-1] > 10*time.Second {
			t.Errorf("%d connections in %v", len(at), at[len(at)-1])
		}
	})
}

func TestOneConnectionAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := testTarget(serving(func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }))
		c, err := target.Dial(t.Context(), 1883)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := target.Dial(t.Context(), 80); !errors.Is(err, ErrNotProbed) {
			t.Errorf("second connection: %v", err)
		}
		start := time.Now()
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != totalTimeout {
			t.Errorf("read: %v after %v", err, time.Since(start))
		}
		target.end() // what the probe forgot
		if _, err := target.Banner(t.Context(), 80); err != nil {
			t.Errorf("after the end of the probe: %v", err)
		}
	})
}

func TestDialStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := testTarget(serving(func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := target.Banner(ctx, 23); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestTouchIsHeld(t *testing.T) {
	target := testTarget(func(context.Context, netip.AddrPort) (net.Conn, error) {
		t.Error("dialled")
		return nil, refuse()
	})
	target.touch = Connect
	if _, err := target.Get(t.Context(), 80, "/"); WhyOf(err) != fact.TouchLevel {
		t.Errorf("get at level connect: %v", err)
	}
	if _, err := target.Handshake(t.Context(), 443); WhyOf(err) != fact.TouchLevel {
		t.Errorf("handshake at level connect: %v", err)
	}
	target.touch = Listen
	if _, err := target.Banner(t.Context(), 23); WhyOf(err) != fact.TouchLevel {
		t.Errorf("banner at level listen: %v", err)
	}
	target.touch = Read
	if _, err := target.Dial(t.Context(), 9100); WhyOf(err) != fact.NotProbed || !errors.Is(err, ErrForbidden) {
		t.Errorf("printer port: %v", err)
	}
}

// An address of the hub that is in no list is found out by the connection itself.
func TestSelfIsRefused(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	loop := netip.MustParseAddr("127.0.0.1")
	if !isSelf(c, loop) {
		t.Error("a connection from an address to itself is not seen as such")
	}
	if isSelf(c, testAddr) {
		t.Error("a connection that a demo's dialer sent elsewhere counts as the hub's own")
	}
}

func TestNetDial(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := netip.MustParseAddrPort(ln.Addr().String())
	c, err := NetDial(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	_ = ln.Close()
	if _, err := NetDial(t.Context(), to); !isRefused(err) {
		t.Errorf("closed port: %v", err)
	}
	mapped := netip.AddrPortFrom(netip.MustParseAddr("::ffff:127.0.0.1"), to.Port())
	if _, err := NetDial(t.Context(), mapped); !errors.Is(err, ErrForbidden) {
		t.Errorf("an address that becomes another one at the socket: %v", err)
	}
}
