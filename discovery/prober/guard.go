package prober

import (
	"context"
	"fmt"
	"github.com/thingwarden/thingwarden/discovery"
	"net"
	"net/netip"
	"slices"
	"syscall"
)

// metadata are addresses at which clouds tell machines their secrets; no home
// device has them.
var metadata = []netip.Addr{netip.MustParseAddr("169.254.169.254"), netip.MustParseAddr("fd00:ec2::254")}

// neverPorts are TCP ports at which a connection alone does harm: printers print
// every byte (9100 to 9107), and controllers of machines may stop (Modbus,
// Siemens S7, EtherNet/IP, BACnet).
func neverPort(port uint16) bool {
	return port == 0 || port >= 9100 && port <= 9107 || slices.Contains([]uint16{102, 502, 44818, 47808}, port)
}

// guard refuses every connection but to one of the device's own addresses, on
// a network that is looked at, be it by way of a router (threats T1 and T22). It is never relaxed: the demo
// gives its devices addresses of a documentation prefix and a dialer of its own.
func guard(d discovery.Device, networks discovery.Networks, a netip.Addr, port uint16) error {
	if neverPort(port) {
		return fmt.Errorf("port %d: %w", port, ErrForbidden)
	}
	return guardAddr(d, networks, a)
}

func guardAddr(d discovery.Device, networks discovery.Networks, a netip.Addr) error {
	refuse := func(why string) error { return fmt.Errorf("address %q (%s): %w", a, why, ErrForbidden) }
	switch {
	case !a.IsValid(), a.Is4In6(), a.IsUnspecified(), a.IsLoopback(), a.IsMulticast(), slices.Contains(metadata, a):
		return refuse("no address of a device")
	case a.Is6() && a.IsLinkLocalUnicast() && a.Zone() == "":
		return refuse("link-local without its interface")
	case !slices.Contains(d.Addrs(), a):
		return refuse("not this device's")
	case networks.Own(a) != (d.ID == discovery.Hub):
		return refuse("the hub's own, or not")
	}
	network, ok := networks.OnLink(a)
	if !ok && !networks.Routes(a) {
		return refuse("not in a network that is looked at")
	}
	for _, p := range append([]netip.Prefix{network.Prefix}, networks.Routed...) {
		if p.Contains(a) && a.Is4() && p.Bits() < 31 && (a == p.Masked().Addr() || a == broadcast(p)) {
			return refuse("the network's or its broadcast")
		}
	}
	return nil
}

func broadcast(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b)
}

// FirstAddress returns the address at which the device is asked first, and whether
// there is one.
func FirstAddress(d discovery.Device, networks discovery.Networks) (netip.Addr, bool) {
	list := Addresses(d, networks)
	if len(list) == 0 {
		return netip.Addr{}, false
	}
	return list[0], true
}

// DialFunc opens a TCP connection. It must return when ctx is done, and its
// error for a refused connection must wrap syscall.ECONNREFUSED.
type DialFunc func(ctx context.Context, to netip.AddrPort) (net.Conn, error)

// NetDial is the DialFunc of the real network. The address is checked once more
// at the socket, so that nothing between can have made another of it.
func NetDial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	return netDial(ctx, "tcp", to)
}

func netDial(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
		if got, err := netip.ParseAddrPort(address); err != nil || got != to {
			return fmt.Errorf("socket to %q in place of %q: %w", address, to, ErrForbidden)
		}
		return nil
	}}
	return d.DialContext(ctx, network, to.String())
}

// isSelf reports whether a connection that should lead to a device leads to the
// hub itself: its address is then the same on both ends.
func isSelf(c net.Conn, addr netip.Addr) bool {
	return addrOf(c.RemoteAddr()) == addr && addrOf(c.LocalAddr()) == addr
}

func addrOf(a net.Addr) netip.Addr {
	switch t := a.(type) {
	case *net.TCPAddr:
		return t.AddrPort().Addr().Unmap()
	case *net.UDPAddr:
		return t.AddrPort().Addr().Unmap()
	default:
		return netip.Addr{}
	}
}
