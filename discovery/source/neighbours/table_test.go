package neighbours

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// desk is a neighbour table with its clock and all that came out of it.
type desk struct {
	*neighbourTable
	now time.Time
	out []string
	n   int // reports
}

const deskIf = 2

var (
	deskNet = discovery.Networks{Watched: []discovery.Network{
		onNetwork("192.168.1.0/24", "192.168.1.2"), onNetwork("fd00::/64", "fd00::2"), onNetwork("fe80::/64", "fe80::2"),
	}}
	macA   = hwaddr{0xb8, 0x27, 0xeb, 0, 0, 0xa}
	macB   = hwaddr{0xb8, 0x27, 0xeb, 0, 0, 0xb}
	macHub = hwaddr{0xb8, 0x27, 0xeb, 0, 0, 1}
)

func newDesk(listenOnly bool) *desk {
	d := &desk{now: time.Unix(1_800_000_000, 0)}
	d.neighbourTable = newNeighbourTable(defaultTiming(), func(o discovery.Observation) {
		d.n++
		var about []string
		for _, i := range o.About {
			about = append(about, string(i.Kind)+":"+i.Value)
		}
		line := strings.Join(about, " ")
		if o.Name != "" {
			line += " name=" + o.Name
		}
		for _, w := range []string{fact.DeviceOnline.Name(), fact.DeviceReachable.Name()} {
			if e, ok := o.Facts.Entry(w); ok {
				_, short, _ := strings.Cut(w, ".")
				line += fmt.Sprintf(" %s=%v%s", short, e.Value, e.Why)
			}
		}
		if o.Quiet {
			line += " quiet"
		}
		d.out = append(d.out, line)
	}, func(a netip.Addr, in time.Duration) {
		d.out = append(d.out, fmt.Sprintf("probe %s in %v", a, in))
	})
	d.listenOnly = listenOnly
	d.connected(deskNet, map[hwaddr]bool{macHub: true}, d.now)
	return d
}

// pass lets time go by, one second a tick.
func (d *desk) pass(t time.Duration) {
	for range t / time.Second {
		d.now = d.now.Add(time.Second)
		d.tick(d.now)
	}
}

func (d *desk) packet(mac hwaddr, addr string) {
	s := sighting{mac: mac, proof: "packet"}
	if addr != "" {
		s.addr = netip.MustParseAddr(addr)
	}
	d.sight(deskIf, s, d.now)
}

func (d *desk) answers(mac hwaddr, addr string) {
	d.resolved(deskIf, netip.MustParseAddr(addr), mac, d.now)
}

func (d *desk) stale(mac hwaddr, addr string, ago time.Duration) {
	d.remembered(deskIf, netip.MustParseAddr(addr), mac, ago, d.now)
}

func (d *desk) fails(addr string) { d.unresolved(deskIf, netip.MustParseAddr(addr)) }

// silence makes every fresh entry stale, as the kernel does.
func (d *desk) silence() { d.doubt() }

func TestNeighbourTable(t *testing.T) {
	const a, b = "mac:b827eb00000a", "mac:b827eb00000b"
	tests := []struct {
		name string
		do   func(d *desk)
		want string
	}{
		{"answer to the kernel", func(d *desk) { d.answers(macA, "192.168.1.7") },
			a + " ip:192.168.1.7 online=true ip_reachable=true"},
		{"packet is a claim until the kernel has an answer", func(d *desk) {
			d.packet(macA, "192.168.1.7")
			d.answers(macA, "192.168.1.7")
		}, "probe 192.168.1.7 in 0s; " + a + " claimed-ip:192.168.1.7 online=true; " + a + " ip:192.168.1.7 online=true ip_reachable=true"},
		{"an address left for another is given up after three probes", func(d *desk) {
			d.answers(macA, "192.168.1.7")
			d.answers(macA, "192.168.1.20")
			d.out = nil
			d.fails("192.168.1.7")
			d.fails("192.168.1.7")
			d.pass(time.Second)
			d.fails("192.168.1.7")
			d.pass(2 * time.Second)
		}, a + " ip:192.168.1.20 online=true ip_reachable=true"},
		{"the only address is kept, however silent", func(d *desk) {
			d.answers(macA, "192.168.1.7")
			d.out = nil
			for range 5 {
				d.fails("192.168.1.7")
			}
			d.pass(5 * time.Second)
		}, ""},
		{"link-local address keeps its zone", func(d *desk) { d.answers(macA, "fe80::7") },
			a + " ip:fe80::7%lan0 online=true ip_reachable=true"},
		{"packet without address", func(d *desk) { d.packet(macA, "") }, a + " online=true"},
		{"hostname", func(d *desk) {
			d.sight(deskIf, sighting{mac: macA, name: "cam", named: "dhcp", proof: "dhcp", soon: netip.MustParseAddr("192.168.1.7")}, d.now)
		}, "probe 192.168.1.7 in 3s; " + a + " name=cam online=true"},
		{"no change is reported once a minute", func(d *desk) {
			d.answers(macA, "192.168.1.7")
			for range 59 {
				d.pass(time.Second)
				d.packet(macA, "192.168.1.7")
			}
			d.out = nil
			d.pass(time.Second)
			d.packet(macA, "192.168.1.7")
		}, a + " ip:192.168.1.7 online=true ip_reachable=true"},
		{"claims without an answer are dropped", func(d *desk) {
			d.packet(macA, "192.168.1.7")
			d.out = nil
			d.pass(9 * time.Minute)
			if len(d.hosts[macA].addrs) != 0 {
				d.out = append(d.out, "still there")
			}
		}, strings.Repeat("probe 192.168.1.7 in 0s; ", 3) + "probe 192.168.1.7 in 0s"},
		{"claim of another's address", func(d *desk) {
			d.answers(macA, "192.168.1.7")
			d.out = nil
			d.packet(macB, "192.168.1.7")
		}, "probe 192.168.1.7 in 0s; " + b + " online=true"},
		{"address moves to another", func(d *desk) {
			d.answers(macA, "192.168.1.7")
			d.answers(macB, "192.168.1.7")
		}, a + " ip:192.168.1.7 online=true ip_reachable=true; " + a + " online=true ip_reachable=false; " +
			b + " ip:192.168.1.7 online=true ip_reachable=true"},
		{"one of two addresses moves", func(d *desk) {
			d.answers(macA, "192.168.1.7")
			d.answers(macA, "fd00::7")
			d.out = nil
			d.answers(macB, "192.168.1.7")
		}, a + " ip:fd00::7 online=true ip_reachable=true; " + b + " ip:192.168.1.7 online=true ip_reachable=true"},
		{"the hub itself", func(d *desk) {
			d.answers(macHub, "192.168.1.7")
			d.packet(macHub, "192.168.1.7")
			d.packet(macA, "192.168.1.2")
			d.answers(macA, "192.168.1.2")
		}, ""},
		{"addresses that no device of the network has", func(d *desk) {
			for _, addr := range []string{"192.168.2.7", "8.8.8.8", "192.168.1.0", "192.168.1.255", "224.0.0.251", "127.0.0.1", "0.0.0.0", "ff02::1", "::1", "2001:db8::1"} {
				d.packet(macA, addr)
				d.answers(macA, addr)
				d.stale(macA, addr, 0)
				d.fails(addr)
			}
		}, ""},
		{"another interface", func(d *desk) { d.resolved(9, netip.MustParseAddr("192.168.1.7"), macA, d.now) }, ""},
		{"group address as sender", func(d *desk) {
			d.packet(hwaddr{1, 0, 0x5e}, "192.168.1.7")
			d.answers(hwaddr{}, "192.168.1.7")
		}, ""},
		{"kernel remembers it from lately", func(d *desk) { d.stale(macA, "192.168.1.7", time.Minute) },
			"probe 192.168.1.7 in 0s; probe 192.168.1.7 in 0s; " + a + " claimed-ip:192.168.1.7 online=true"},
		{"kernel remembers it from long ago", func(d *desk) { d.stale(macA, "192.168.1.7", time.Hour) }, "probe 192.168.1.7 in 0s"},
		{"sleeps and wakes", func(d *desk) {
			d.answers(macA, "192.168.1.7")
			d.silence()
			d.pass(9 * time.Minute)
			d.out = nil
			d.answers(macA, "192.168.1.7")
			d.pass(time.Minute)
		}, a + " ip:192.168.1.7 online=true ip_reachable=true; " + a + " ip:192.168.1.7 online=true ip_reachable=true"},
		{"stays reachable", func(d *desk) {
			d.answers(macA, "192.168.1.7")
			d.pass(time.Hour)
			d.out = d.out[60:]
		}, a + " ip:192.168.1.7 online=true ip_reachable=true"},
		{"goes away and returns", func(d *desk) {
			d.answers(macA, "192.168.1.7")
			d.fails("192.168.1.7")
			d.pass(20 * time.Minute)
			d.answers(macA, "192.168.1.7")
		}, a + " ip:192.168.1.7 online=true ip_reachable=true; " + strings.Repeat("probe 192.168.1.7 in 0s; ", 3) +
			"probe 192.168.1.7 in 0s; " + a + " online=false quiet; " + a + " ip:192.168.1.7 online=true ip_reachable=true"},
		{"network is cut off and returns", func(d *desk) {
			d.answers(macA, "192.168.1.7")
			d.connected(discovery.Networks{}, d.own, d.now)
			d.pass(time.Hour)
			d.connected(deskNet, d.own, d.now)
			d.pass(time.Minute)
			d.answers(macA, "192.168.1.7")
		}, a + " ip:192.168.1.7 online=true ip_reachable=true; " + a + " online=<nil>source-down quiet; " +
			a + " ip:192.168.1.7 online=true ip_reachable=true"},
		{"network is cut off, the device goes meanwhile", func(d *desk) {
			d.answers(macA, "192.168.1.7")
			d.connected(discovery.Networks{}, d.own, d.now)
			d.pass(time.Hour)
			d.connected(deskNet, d.own, d.now)
			d.out = nil
			d.pass(11 * time.Minute)
			d.out = d.out[len(d.out)-1:]
		}, a + " online=false quiet"},
		{"away with an IPv6 address is probed at each sweep", func(d *desk) {
			d.answers(macA, "fd00::7")
			d.silence()
			d.pass(20 * time.Minute)
			d.out = nil
			d.recall()
		}, "probe fd00::7 in 0s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(false)
			tt.do(d)
			if diff := cmp.Diff(strings.Split(tt.want, "; "), strings.Split(strings.Join(d.out, "; "), "; ")); diff != "" {
				t.Errorf("reports and probes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestListenOnlySendsNoProbes(t *testing.T) {
	d := newDesk(true)
	d.packet(macA, "192.168.1.7")
	d.stale(macB, "192.168.1.8", 0)
	d.answers(macB, "192.168.1.9")
	d.silence()
	d.pass(time.Hour)
	d.recall()
	all := strings.Join(d.out, "\n")
	if strings.Contains(all, "probe") || strings.Contains(all, "online=false") || !strings.Contains(all, "online=<nil>") {
		t.Errorf("reports and probes:\n%s", all)
	}
}

// A stranger that makes up hardware addresses must neither grow our memory nor
// make us talk without end, nor push out devices that are there (T14).
func TestFloodOfMadeUpAddresses(t *testing.T) {
	d := newDesk(false)
	for n := range 200 {
		d.resolved(deskIf, netip.AddrFrom4([4]byte{192, 168, 1, byte(n + 3)}), hwaddr{0xb8, 0x27, 0xeb, 1, 0, byte(n)}, d.now)
	}
	d.out, d.n = nil, 0
	addr := netip.MustParseAddr("fd00::1:0")
	for n := range 200_000 {
		if n%1000 == 0 {
			d.pass(time.Second)
		}
		addr = addr.Next()
		d.sight(deskIf, sighting{mac: hwaddr{2, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, addr: addr, proof: "flood"}, d.now)
	}
	if len(d.hosts) > maxUnconfirmed+200 || d.n > 1000 || len(d.out) > 4000 {
		t.Errorf("%d neighbours, %d reports, %d reports and probes", len(d.hosts), d.n, len(d.out))
	}
	if d.dropped.IsZero() {
		t.Error("that strangers are ignored is not noted")
	}
	for n := range 200 {
		if d.hosts[hwaddr{0xb8, 0x27, 0xeb, 1, 0, byte(n)}] == nil {
			t.Fatalf("device %d was pushed out", n)
		}
	}
	d.answers(macA, "192.168.1.250")
	if d.hosts[macA] == nil {
		t.Error("a device that answers is not taken in during the flood")
	}
}

func TestManyThatAnswer(t *testing.T) {
	d := newDesk(false)
	addr := netip.MustParseAddr("fd00::1:0")
	for n := range maxNeighbours + 200 {
		addr = addr.Next()
		d.resolved(deskIf, addr, hwaddr{2, 0, 0, 0, byte(n >> 8), byte(n)}, d.now)
	}
	if len(d.hosts) != maxNeighbours || len(d.owner) != maxNeighbours {
		t.Errorf("%d neighbours, %d addresses", len(d.hosts), len(d.owner))
	}
}

// One device that takes every address keeps some of them, and reports are few.
func TestOneDeviceWithManyAddresses(t *testing.T) {
	d := newDesk(false)
	addr := netip.MustParseAddr("fd00::1:0")
	for n := range 10_000 {
		addr = addr.Next()
		d.packet(macA, addr.String())
		if n%2 == 0 {
			d.answers(macA, addr.String())
		}
	}
	if h := d.hosts[macA]; len(h.addrs) != maxAddrs || len(d.owner) > maxAddrs {
		t.Errorf("%d addresses, owner of %d", len(h.addrs), len(d.owner))
	}
	if d.n > 10 {
		t.Errorf("%d reports at once", d.n)
	}
	if !d.fresh(addr.Prev()) && !d.fresh(addr) {
		t.Error("the newest confirmed address was not kept")
	}
}
