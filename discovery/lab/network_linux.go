package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// Segment is one LAN of a lab: a bridge, and the hub's interface of the same name.
type Segment struct {
	Name string       // of the interface in the hub and of the bridge
	IPv4 netip.Prefix // the hub is .2, hosts count from .10
	IPv6 netip.Prefix // a unique local prefix, numbered alike
}

// The segments that a lab can have. They are private prefixes, since the agent
// looks at no other; LAN1 exists once a host is put there.
var (
	LAN0 = Segment{"lan0", netip.MustParsePrefix("10.99.0.0/24"), netip.MustParsePrefix("fd99::/64")}
	LAN1 = Segment{"lan1", netip.MustParsePrefix("10.98.0.0/24"), netip.MustParsePrefix("fd98::/64")}
)

const (
	hubNumber       = 2
	firstHostNumber = 10
)

// Lab is a home network. Its methods are not for use from several goroutines.
type Lab struct {
	t        testing.TB
	switchNS *namespace
	hub      *Host
	bridges  map[string]*netlink.Bridge
	hosts    map[string]*Host
	next     int
	ports    int
}

// New builds a home network with a hub in it and takes it down when the test
// ends. In a process run by Main the hub is the process itself, so that the code
// under test runs on the hub without further ado; one such lab can exist at a
// time. Elsewhere the hub is a namespace like any other.
func New(t testing.TB) *Lab {
	t.Helper()
	l := &Lab{t: t, bridges: map[string]*netlink.Bridge{}, hosts: map[string]*Host{}, next: firstHostNumber}
	var err error
	if l.switchNS, err = newNamespace(); err != nil {
		SkipOrFail(t, "lab", "a network lab needs root or \"unshare -Urn\": %v", err)
	}
	t.Cleanup(l.switchNS.close)
	// Else the switch has addresses of its own and looks like more devices.
	if err := l.switchNS.do(func() error { return errors.Join(disableIPv6("all"), disableIPv6("default")) }); err != nil {
		t.Fatal(err)
	}
	l.hub = l.newHub()
	l.attach(l.hub, LAN0, hostConfig{number: hubNumber})
	return l
}

func (l *Lab) newHub() *Host {
	l.t.Helper()
	var ns *namespace
	var err error
	if isolated() {
		if _, err := net.InterfaceByName(LAN0.Name); err == nil {
			l.t.Fatal("one lab at a time: the hub is this process, so its tests can't run in parallel")
		}
		ns, err = currentNamespace()
	} else {
		ns, err = newNamespace()
	}
	if err != nil {
		l.t.Fatalf("make the namespace of the hub: %v", err)
	}
	return l.newHost("hub", ns)
}

// Hub returns the machine on which the agent runs: lan0 with 10.99.0.2 and
// fd99::2, and lan1 with 10.98.0.2 and fd98::2 once there is a host on LAN1.
func (l *Lab) Hub() *Host { return l.hub }

// Host puts a new device on the network, by default on LAN0 with the next free
// addresses and a MAC address of the range for documentation (RFC 9542 section
// 2.1.2), which is no randomised one.
func (l *Lab) Host(name string, opts ...Option) *Host {
	l.t.Helper()
	if l.hosts[name] != nil {
		l.t.Fatalf("host %q exists already", name)
	}
	cfg := hostConfig{segment: LAN0, number: l.next}
	l.next++
	for _, o := range opts {
		o(&cfg)
	}
	if l.hub.ports[cfg.segment.Name] == nil {
		l.attach(l.hub, cfg.segment, hostConfig{number: hubNumber})
	}
	ns, err := newNamespace()
	if err != nil {
		l.t.Fatalf("make the namespace of host %q: %v", name, err)
	}
	h := l.newHost(name, ns)
	l.attach(h, cfg.segment, cfg)
	return h
}

func (l *Lab) newHost(name string, ns *namespace) *Host {
	h := &Host{Name: name, lab: l, ns: ns, ports: map[string]*port{}}
	l.hosts[name] = h
	l.t.Cleanup(h.Remove)
	return h
}

// bridge returns the bridge of a segment, made at the first use.
func (l *Lab) bridge(s Segment) *netlink.Bridge {
	l.t.Helper()
	if b := l.bridges[s.Name]; b != nil {
		return b
	}
	snooping := false // else IGMP and MLD reports decide who sees multicast, and nobody queries
	b := &netlink.Bridge{LinkAttrs: netlink.NewLinkAttrs(), MulticastSnooping: &snooping}
	b.Name = s.Name
	if err := l.switchNS.netlink.LinkAdd(b); err != nil {
		l.t.Fatalf("add bridge %q: %v", s.Name, err)
	}
	if err := l.switchNS.netlink.LinkSetUp(b); err != nil {
		l.t.Fatalf("set bridge %q up: %v", s.Name, err)
	}
	l.bridges[s.Name] = b
	return b
}

// attach gives a host an interface on a segment.
func (l *Lab) attach(h *Host, s Segment, cfg hostConfig) {
	l.t.Helper()
	bridge := l.bridge(s)
	l.ports++
	if cfg.mac == nil {
		cfg.mac = net.HardwareAddr{0x00, 0x00, 0x5e, 0x00, 0x53, byte(l.ports)}
	}
	if cfg.addrs == nil && !cfg.noAddrs {
		cfg.addrs = []netip.Prefix{numbered(s.IPv4, cfg.number), numbered(s.IPv6, cfg.number)}
	}
	p := &port{segment: s, mac: cfg.mac, addrs: cfg.addrs, name: fmt.Sprintf("port%d", l.ports)}
	if err := p.connect(l.switchNS, h.ns, bridge.Index, cfg); err != nil {
		l.t.Fatalf("connect host %q to %s: %v", h.Name, s.Name, err)
	}
	h.ports[s.Name] = p
	if h.main == nil {
		h.main = p
	}
}

// numbered returns the address with the given last byte in a prefix, with the
// length of the prefix.
func numbered(p netip.Prefix, n int) netip.Prefix {
	b := p.Addr().AsSlice()
	b[len(b)-1] = byte(n)
	a, _ := netip.AddrFromSlice(b)
	return netip.PrefixFrom(a, p.Bits())
}

// port is a cable between the switch and a host.
type port struct {
	segment Segment
	name    string // of its end in the switch
	mac     net.HardwareAddr
	addrs   []netip.Prefix
}

func (p *port) connect(sw, host *namespace, bridgeIndex int, cfg hostConfig) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MasterIndex = p.name, bridgeIndex
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: p.segment.Name, PeerHardwareAddr: p.mac, PeerNamespace: netlink.NsFd(int(host.handle))}
	if err := sw.netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("add veth: %w", err)
	}
	if !cfg.dad {
		if err := host.do(func() error { return disableDAD(p.segment.Name) }); err != nil {
			return err
		}
	}
	if cfg.silent {
		if err := host.do(func() error { return disableIPv6(p.segment.Name) }); err != nil {
			return err
		}
		p.addrs = slices.DeleteFunc(slices.Clone(p.addrs), func(a netip.Prefix) bool { return a.Addr().Is6() })
	}
	link, err := host.netlink.LinkByName(p.segment.Name)
	if err != nil {
		return fmt.Errorf("find interface: %w", err)
	}
	if err := errors.Join(sw.netlink.LinkSetUp(veth), host.netlink.LinkSetUp(link)); err != nil {
		return fmt.Errorf("set link up: %w", err)
	}
	for _, a := range p.addrs {
		if err := host.netlink.AddrAdd(link, &netlink.Addr{IPNet: ipNet(a)}); err != nil {
			return fmt.Errorf("add address %q: %w", a, err)
		}
	}
	if cfg.gateway.IsValid() {
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Gw: cfg.gateway.AsSlice()}
		if err := host.netlink.RouteAdd(route); err != nil {
			return fmt.Errorf("add default route by %q: %w", cfg.gateway, err)
		}
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// disableDAD lets IPv6 addresses of an interface be used at once, which else
// takes more than a second. A kernel without IPv6 has nothing to switch off.
func disableDAD(link string) error {
	err := os.WriteFile("/proc/sys/net/ipv6/conf/"+link+"/accept_dad", []byte("0"), 0)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("switch duplicate address detection off: %w", err)
	}
	return nil
}

// disableIPv6 keeps an interface from speaking IPv6; "all" and "default" mean
// those that there are and those to come.
func disableIPv6(link string) error {
	err := os.WriteFile("/proc/sys/net/ipv6/conf/"+link+"/disable_ipv6", []byte("1"), 0)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("switch IPv6 of %q off: %w", link, err)
	}
	return nil
}

// currentNamespace returns the namespace of this process.
func currentNamespace() (*namespace, error) {
	handle, err := netns.Get()
	if err != nil {
		return nil, fmt.Errorf("open own network namespace: %w", err)
	}
	return openNamespace(handle)
}
