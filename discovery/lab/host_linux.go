package lab

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Host is a machine of a lab.
type Host struct {
	Name string

	lab   *Lab
	ns    *namespace
	ports map[string]*port // by segment
	main  *port
	gone  bool

	mu    sync.Mutex
	procs []*Proc
	open  []io.Closer // sockets
}

// hostConfig is what options change.
type hostConfig struct {
	segment Segment
	number  int
	mac     net.HardwareAddr
	addrs   []netip.Prefix
	noAddrs bool
	dad     bool
	silent  bool
	gateway netip.Addr
}

// Option changes how a host is made.
type Option func(*hostConfig)

// WithMAC gives the host a MAC address, such as "02:00:00:00:00:01".
func WithMAC(mac string) Option {
	hw, err := net.ParseMAC(mac)
	if err != nil {
		panic(fmt.Sprintf("MAC address %q: %v", mac, err))
	}
	return func(c *hostConfig) { c.mac = hw }
}

// WithAddrs gives the host these addresses, such as "10.99.0.77/24", in place of
// the next free ones. Without an argument it has none but its IPv6 link-local one.
func WithAddrs(prefixes ...string) Option {
	var addrs []netip.Prefix
	for _, p := range prefixes {
		addrs = append(addrs, netip.MustParsePrefix(p))
	}
	return func(c *hostConfig) { c.addrs, c.noAddrs = addrs, len(addrs) == 0 }
}

// On puts the host on a segment other than LAN0.
func On(s Segment) Option { return func(c *hostConfig) { c.segment = s } }

// Silent makes a host without IPv6, which sends nothing by itself: the first packet
// is the test's.
func Silent() Option { return func(c *hostConfig) { c.silent = true } }

// WithGateway gives the host a default route.
func WithGateway(addr string) Option {
	a := netip.MustParseAddr(addr)
	return func(c *hostConfig) { c.gateway = a }
}

// WithDAD leaves duplicate address detection on, so that the host announces its
// IPv6 addresses as a real device does, and takes over a second to come up.
func WithDAD() Option { return func(c *hostConfig) { c.dad = true } }

// IP returns the host's first IPv4 address on its first segment, zero if it has none.
func (h *Host) IP() netip.Addr { return h.addr(netip.Addr.Is4) }

// IP6 returns the host's first IPv6 address that is not link-local, zero if it has none.
func (h *Host) IP6() netip.Addr { return h.addr(netip.Addr.Is6) }

func (h *Host) addr(want func(netip.Addr) bool) netip.Addr {
	i := slices.IndexFunc(h.main.addrs, func(p netip.Prefix) bool { return want(p.Addr()) })
	if i < 0 {
		return netip.Addr{}
	}
	return h.main.addrs[i].Addr()
}

// MAC returns the host's MAC address on its first segment.
func (h *Host) MAC() net.HardwareAddr { return slices.Clone(h.main.mac) }

// LinkLocal returns the IPv6 link-local address that the kernel makes of the MAC
// address (RFC 4291 appendix A), without a zone.
func (h *Host) LinkLocal() netip.Addr {
	m := h.main.mac
	return netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 8: m[0] ^ 2, 9: m[1], 10: m[2], 11: 0xff, 12: 0xfe, 13: m[3], 14: m[4], 15: m[5]})
}

// Do runs f on the calling goroutine inside the host's network namespace.
// Sockets that f opens stay on the host's network; goroutines that f starts run
// elsewhere, and so do those that packages of the standard library start, such
// as for looking up names. /proc/net shows another namespace, /proc/thread-self/net
// the right one.
func (h *Host) Do(f func()) {
	h.lab.t.Helper()
	if err := h.ns.do(func() error { f(); return nil }); err != nil {
		h.lab.t.Fatalf("on host %q: %v", h.Name, err)
	}
}

// Listen listens on the host until the test ends.
func (h *Host) Listen(network, addr string) net.Listener {
	h.lab.t.Helper()
	var ln net.Listener
	var err error
	h.Do(func() { ln, err = net.Listen(network, addr) })
	if err != nil {
		h.lab.t.Fatalf("on host %q: %v", h.Name, err)
	}
	h.closeLater(ln)
	return ln
}

// ListenPacket opens a datagram socket on the host until the test ends.
func (h *Host) ListenPacket(network, addr string) net.PacketConn {
	h.lab.t.Helper()
	var c net.PacketConn
	var err error
	h.Do(func() { c, err = net.ListenPacket(network, addr) })
	if err != nil {
		h.lab.t.Fatalf("on host %q: %v", h.Name, err)
	}
	h.closeLater(c)
	return c
}

func (h *Host) closeLater(c io.Closer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = append(h.open, c)
}

// Dial connects from the host to an IP address and port, within 3 seconds.
func (h *Host) Dial(network, addr string) (c net.Conn, err error) {
	h.Do(func() { c, err = net.DialTimeout(network, addr, 3*time.Second) })
	return c, err
}

// LinkDown pulls the host's network cable; its addresses stay.
func (h *Host) LinkDown() { h.lab.t.Helper(); h.setLink(false) }

// LinkUp plugs the host's network cable in again.
func (h *Host) LinkUp() { h.lab.t.Helper(); h.setLink(true) }

func (h *Host) setLink(up bool) {
	h.lab.t.Helper()
	nl := h.lab.switchNS.netlink
	for _, p := range h.ports {
		link, err := nl.LinkByName(p.name)
		if err == nil && up {
			err = nl.LinkSetUp(link)
		} else if err == nil {
			err = nl.LinkSetDown(link)
		}
		if err != nil {
			h.lab.t.Fatalf("set link of host %q: %v", h.Name, err)
		}
	}
}

// Remove kills what runs on the host and takes it off the network for good.
func (h *Host) Remove() {
	if h.gone {
		return
	}
	h.gone = true
	h.mu.Lock()
	procs, open := h.procs, h.open
	h.mu.Unlock()
	for _, c := range open {
		_ = c.Close()
	}
	for _, p := range slices.Backward(procs) {
		p.Kill()
	}
	for _, p := range h.ports {
		if err := h.lab.switchNS.removeLink(p.name); err != nil {
			h.lab.t.Errorf("remove host %q: %v", h.Name, err)
		}
	}
	h.ns.close()
	delete(h.lab.hosts, h.Name)
}
