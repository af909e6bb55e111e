package neighbours

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/lab"
	"github.com/thingwarden/thingwarden/discovery/network"
)

func TestMain(m *testing.M) { lab.Main(m) }

// deaf has the source run without NET_RAW.
func deaf(w *watcher) { w.deaf = true }

func TestSweepFindsHostsWithoutNetRaw(t *testing.T) {
	l := lab.New(t)
	var hosts []*lab.Host
	for n := range 3 {
		hosts = append(hosts, l.Host(fmt.Sprint("host", n)))
	}
	w := watch(t, deaf)
	for _, h := range hosts {
		o, took := w.wait(20*time.Second, h.Name, w.start, has(h, discovery.IP(h.IP())))
		t.Logf("%s after %v", h.Name, took)
		want := []string{
			`address.disputed=[]  "neighbour table: ` + h.IP().String() + ` lladdr ` + h.MAC().String() + ` reachable"`,
			`address.taken=[]  "neighbour table: ` + h.IP().String() + ` lladdr ` + h.MAC().String() + ` reachable"`,
			`device.ip_reachable=true  "neighbour table: ` + h.IP().String() + ` lladdr ` + h.MAC().String() + ` reachable"`,
			`device.kind=lan  "neighbour table: ` + h.IP().String() + ` lladdr ` + h.MAC().String() + ` reachable"`,
			`device.mac_random=false  "` + h.MAC().String() + `"`,
			`device.mac_vendor=ICANN, IANA Department  "` + h.MAC().String() + `"`,
			`device.online=true  "neighbour table: ` + h.IP().String() + ` lladdr ` + h.MAC().String() + ` reachable"`,
		}
		if diff := cmp.Diff(want, entries(o)); diff != "" {
			t.Errorf("facts (-want +got):\n%s", diff)
		}
	}
	w.stop()
	if w.health != discovery.Degraded || !strings.Contains(w.problem, "NET_RAW") {
		t.Errorf("health = %s %q", w.health, w.problem)
	}
	if _, ok := w.find(time.Time{}, is(l.Hub())); ok {
		t.Error("the hub itself is reported")
	}
}

// station adds a silent network card with a MAC address of its own to a host.
func station(t *testing.T, h *lab.Host, name, mac string) {
	t.Helper()
	sh(t, h, "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6",
		"echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore",
		fmt.Sprintf("ip link add name %s link lan0 address %s type macvlan mode bridge", name, mac),
		fmt.Sprintf("ip link set dev %s up", name))
}

func sh(t *testing.T, h *lab.Host, lines ...string) string {
	t.Helper()
	return h.Run(t, "sh", "-ec", strings.Join(lines, "\n"))
}

// A device's first packet is enough.
func TestFirstPacketIsReported(t *testing.T) {
	l := lab.New(t)
	dev := l.Host("dev")
	w := watch(t, nil)
	w.wait(20*time.Second, "the host itself", w.start, has(dev, discovery.IP(dev.IP())))
	tests := []struct {
		name, send string
		named      string
		confirmed  string // address that the kernel is to confirm; empty if none
	}{
		{"arp0", "ip addr add 10.99.0.61/24 dev arp0; busybox arping -U -c 1 -w 1 -I arp0 10.99.0.61", "", "10.99.0.61"},
		{"dhcp", "busybox udhcpc -f -n -q -t 1 -T 1 -i dhcp -x hostname:porch-cam -s /bin/true || true", "porch-cam", ""},
		{"nd", "echo 0 > /proc/sys/net/ipv6/conf/nd/router_solicitation_delay; echo 0 > /proc/sys/net/ipv6/conf/nd/disable_ipv6", "", "fe80::5eff:fe00:5362%lan0"},
		{"mdns", "ip addr add 10.99.0.63/24 dev mdns; printf 123456789012 | socat -u - UDP4-DATAGRAM:224.0.0.251:5353,so-bindtodevice=mdns,bind=10.99.0.63", "", "10.99.0.63"},
	}
	for n, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mac := fmt.Sprintf("02:00:5e:00:53:%02d", 60+n)
			id, _ := discovery.MAC(mac)
			station(t, dev, tt.name, mac)
			about := func(ids ...discovery.Identifier) func(discovery.Observation) bool {
				return func(o discovery.Observation) bool { return hasAll(o, append(ids, id)...) }
			}
			if o, ok := w.find(w.start, about()); ok {
				t.Fatalf("reported before it sent anything: %v %v", o.About, entries(o))
			}
			start := time.Now()
			p := dev.Start(t, "sh", "-ec", tt.send)
			o, took := w.wait(20*time.Second, "the first packet", start, about())
			t.Logf("reported after %v (with the start of the program): %v %v", took, o.About, entries(o))
			if random, ok := fact.DeviceMACRandom.Get(o.Facts); !ok || !random {
				t.Error("the made-up MAC address is not said to be one")
			}
			if o.Name != tt.named {
				t.Errorf("name = %q, want %q", o.Name, tt.named)
			}
			if tt.confirmed != "" {
				ip := discovery.Identifier{Kind: discovery.IPID, Value: tt.confirmed}
				_, took := w.wait(20*time.Second, "confirmation of "+tt.confirmed, start, about(ip))
				t.Logf("confirmed after %v", took)
			}
			_ = p.Wait(20 * time.Second)
		})
	}
	w.stop()
	if w.health != discovery.OK {
		t.Errorf("health = %s %q", w.health, w.problem)
	}
}

// All hosts of a /24 that answer are there a second after the sweep's start,
// without any privilege.
func TestSweepOfManyHosts(t *testing.T) {
	l := lab.New(t)
	want := map[discovery.Identifier]string{}
	for n := range 4 {
		h := l.Host(fmt.Sprint("host", n))
		want[discovery.IP(h.IP())] = strings.ReplaceAll(h.MAC().String(), ":", "")
		for m := range 10 {
			k := n*10 + m
			mac := fmt.Sprintf("02:00:5e:10:00:%02x", k)
			station(t, h, fmt.Sprint("mv", m), mac)
			sh(t, h, fmt.Sprintf("ip addr add 10.99.0.%d/24 dev mv%d", 100+3*k, m))
			want[discovery.Identifier{Kind: discovery.IPID, Value: fmt.Sprintf("10.99.0.%d", 100+3*k)}] = strings.ReplaceAll(mac, ":", "")
		}
	}
	compare := func(name string, args ...string) {
		t.Helper()
		sh(t, l.Hub(), "ip neigh flush dev lan0")
		start := time.Now()
		out := l.Hub().Run(t, name, args...)
		t.Logf("%-10s %4d of %d in %v", name, strings.Count(out, "10.99.0.")-strings.Count(out, "10.99.0.0/24")-strings.Count(out, "10.99.0.2)"), len(want), time.Since(start).Round(time.Millisecond))
	}
	compare("arp-scan", "--interface", "lan0", "--plain", "--quiet", "10.99.0.0/24")
	compare("nmap", "-sn", "-n", "--exclude", "10.99.0.2", "10.99.0.0/24")
	sh(t, l.Hub(), "ip neigh flush dev lan0")

	w := watch(t, deaf)
	var last time.Time
	for ip, mac := range want {
		id, _ := discovery.MAC(mac)
		o, _ := w.wait(20*time.Second, ip.Value, w.start, func(o discovery.Observation) bool { return hasAll(o, id, ip) })
		if o.At.After(last) {
			last = o.At
		}
	}
	w.stop()
	first := w.sentAt[0]
	took := last.Sub(first)
	t.Logf("%-10s %4d of %d in %v from the sweep's start (%d datagrams in %v), %v from the source's start", "neighbours", len(want), len(want),
		took.Round(time.Millisecond), len(w.sentAt), w.sentAt[min(252, len(w.sentAt)-1)].Sub(first).Round(time.Millisecond), last.Sub(w.start).Round(time.Millisecond))
	if took > 10*time.Second { // the figure is 1 s; the rest is for a busy machine
		t.Errorf("sweep took %v", took)
	}
	for addr, n := range w.sent {
		if n > 3 {
			t.Errorf("%d datagrams to %v", n, addr)
		}
	}
}

// quick makes a kernel notice within a second or two that a neighbour is gone.
func quick(t *testing.T, hub *lab.Host) {
	t.Helper()
	for _, family := range []string{"ipv4", "ipv6"} {
		sh(t, hub, "cd /proc/sys/net/"+family+"/neigh/lan0", "echo 300 > base_reachable_time_ms", "echo 1 > delay_first_probe_time", "echo 200 > retrans_time_ms")
	}
}

func fast(w *watcher) {
	w.source.timing.offlineAfter, w.source.timing.sweepEvery = 3*time.Second, 2*time.Second
}

func TestHostGoesAndReturns(t *testing.T) {
	for name, change := range map[string]func(*watcher){"with NET_RAW": fast, "without": func(w *watcher) { fast(w); deaf(w) }} {
		t.Run(name, func(t *testing.T) {
			l := lab.New(t)
			quick(t, l.Hub())
			cam, other := l.Host("cam"), l.Host("other")
			w := watch(t, change)
			w.wait(20*time.Second, "cam is there", w.start, has(cam, discovery.IP(cam.IP())))
			cam.LinkDown()
			gone := time.Now()
			o, took := w.wait(30*time.Second, "cam is away", gone, online(cam, false))
			t.Logf("away after %v: %v", took, entries(o))
			if !o.Quiet {
				t.Error("an absence counts as a sign of life")
			}
			cam.LinkUp()
			_, took = w.wait(20*time.Second, "cam is back", time.Now(), online(cam, true))
			t.Logf("back after %v", took)
			if o, ok := w.find(gone, online(other, false)); ok {
				t.Errorf("a host that stayed is away: %v", entries(o))
			}
		})
	}
}

func TestHubLosesItsNetwork(t *testing.T) {
	l := lab.New(t)
	quick(t, l.Hub())
	cam := l.Host("cam")
	w := watch(t, nil)
	w.wait(20*time.Second, "cam is there", w.start, has(cam, discovery.IP(cam.IP())))
	down := time.Now()
	l.Hub().LinkDown()
	unknown := func(o discovery.Observation) bool {
		e, ok := o.Facts.Entry(fact.DeviceOnline.Name())
		return is(cam)(o) && ok && e.Why == fact.SourceDown && o.Quiet
	}
	w.wait(20*time.Second, "cam is out of sight", down, unknown)
	lab.WaitFor(t, 20*time.Second, "health says so", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.health == discovery.Down && strings.Contains(w.problem, "lan0: no cable")
	})
	up := time.Now()
	l.Hub().LinkUp()
	_, took := w.wait(20*time.Second, "cam is back", up, has(cam, discovery.IP(cam.IP())))
	t.Logf("back after %v", took)
	// The raw socket must hear again too.
	station(t, cam, "late", "02:00:5e:00:53:99")
	id, _ := discovery.MAC("02:00:5e:00:53:99")
	sh(t, cam, "ip addr add 10.99.0.99/24 dev late", "busybox arping -U -c 1 -w 1 -I late 10.99.0.99")
	w.wait(20*time.Second, "a newcomer after that", up, func(o discovery.Observation) bool { return hasAll(o, id) })
	if o, ok := w.find(w.start, online(cam, false)); ok {
		t.Errorf("the hub's own fault is blamed on cam: %v", entries(o))
	}
}

func TestAddressMovesToAnotherHost(t *testing.T) {
	l := lab.New(t)
	quick(t, l.Hub())
	a, b := l.Host("a", lab.WithAddrs("10.99.0.50/24")), l.Host("b")
	ip := discovery.IP(a.IP())
	w := watch(t, deaf)
	w.wait(20*time.Second, "a has the address", w.start, has(a, ip))
	moved := time.Now()
	sh(t, a, "ip addr del 10.99.0.50/24 dev lan0")
	sh(t, b, "ip addr add 10.99.0.50/24 dev lan0", "busybox arping -U -c 1 -w 1 -I lan0 10.99.0.50")
	_, took := w.wait(20*time.Second, "b has the address", moved, has(b, ip))
	t.Logf("moved after %v", took)
	w.wait(40*time.Second, "a has lost its address", moved, func(o discovery.Observation) bool {
		reachable, ok := fact.DeviceReachable.Get(o.Facts)
		return is(a)(o) && ok && !reachable
	})
}

func TestResolveMakesAHostKnown(t *testing.T) {
	l := lab.New(t)
	w := watch(t, deaf)
	lab.WaitFor(t, 20*time.Second, "the sweep", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return len(w.sentAt) >= 253 })
	cam := l.Host("cam")
	if err := Resolve(t.Context(), cam.IP6()); err != nil {
		t.Fatal(err)
	}
	w.wait(20*time.Second, "IPv6 address", w.start, has(cam, discovery.IP(cam.IP6())))
	if err := Resolve(t.Context(), cam.LinkLocal().WithZone("lan0")); err != nil {
		t.Fatal(err)
	}
	w.wait(20*time.Second, "link-local address", w.start, has(cam, discovery.IP(cam.LinkLocal().WithZone("lan0"))))
	if err := Resolve(t.Context(), cam.IP()); err != nil {
		t.Fatal(err)
	}
	w.wait(20*time.Second, "IPv4 address", w.start, has(cam, discovery.IP(cam.IP())))
}

// More changes than the kernel keeps for us: the table is read again.
func TestLostChanges(t *testing.T) {
	l := lab.New(t)
	block := make(chan struct{})
	w := watch(t, deaf)
	w.mu.Lock() // Run's next report waits
	go func() { <-block; w.mu.Unlock() }()
	batch := filepath.Join(t.TempDir(), "batch")
	var lines strings.Builder
	for n := range 8000 {
		fmt.Fprintf(&lines, "neigh replace fd99::%x lladdr 00:00:5e:01:%02x:%02x nud stale dev lan0\nneigh del fd99::%x dev lan0\n", n+100, n>>8, n&255, n+100)
	}
	if err := os.WriteFile(batch, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	l.Hub().Run(t, "ip", "-batch", batch)
	close(block)
	lab.WaitFor(t, 20*time.Second, "the table is read again", func() bool { return w.log.has("reading the neighbour table again") })
	cam := l.Host("cam")
	sh(t, cam, "ping -c 1 10.99.0.2 || true")
	w.wait(20*time.Second, "cam", w.start, has(cam, discovery.IP(cam.IP())))
}

// With listen_only set, the source reports what it hears and sends nothing.
func TestListenOnlySendsNothing(t *testing.T) {
	l := lab.New(t)
	cam := l.Host("cam")
	w := watch(t, func(w *watcher) { fast(w); w.source.env.ListenOnly = true })
	sh(t, cam, "busybox arping -U -c 3 -I lan0 "+cam.IP().String())
	w.wait(20*time.Second, "cam", w.start, has(cam, discovery.Claimed(cam.IP())))
	w.wait(20*time.Second, "cam is out of sight", w.start, func(o discovery.Observation) bool {
		e, ok := o.Facts.Entry(fact.DeviceOnline.Name())
		return is(cam)(o) && ok && !e.Known()
	})
	w.stop()
	if len(w.sent) != 0 {
		t.Errorf("sent: %v", w.sent)
	}
}

func TestNoNetworkIsSaid(t *testing.T) {
	lab.New(t)
	w := watch(t, func(w *watcher) {
		w.source.env.Networks = func() discovery.Networks {
			n, _ := network.Look(nil) // a lab has veth only
			return n
		}
	})
	lab.WaitFor(t, 20*time.Second, "health", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.health == discovery.Down && strings.Contains(w.problem, "lan0: is a container's cable")
	})
	w.stop()
	if len(w.sent)+len(w.reports) != 0 {
		t.Errorf("sent %v, reported %v", w.sent, w.reports)
	}
}

func TestConnectSweep(t *testing.T) {
	l := lab.New(t)
	open, closed := l.Host("open"), l.Host("closed")
	open.Listen("tcp", ":443")
	n, err := network.Look(nil)
	if err != nil {
		t.Fatal(err)
	}
	n.Watched = []discovery.Network{onNetwork("10.99.0.8/29", "10.99.0.2")}
	sent := map[string]int{}
	c := newConnectSweep(discovery.Env{})
	c.limit.SetLimit(1000)
	c.sent = func(to netip.Addr, packets, connections int) { sent[to.String()] += connections }
	found := map[string]string{}
	if err := c.run(t.Context(), n, func(a netip.Addr, proof string) { found[a.String()] = proof }); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{open.IP().String(): "tcp/80: connection refused", closed.IP().String(): "tcp/80: connection refused"}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	if sent[open.IP().String()] != 1 || sent["10.99.0.14"] != len(c.ports) {
		t.Errorf("connections = %v", sent)
	}
}
