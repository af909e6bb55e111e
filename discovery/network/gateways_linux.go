package network

import (
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// readGateways returns the next hops of the kernel's default routes, link-local
// ones with their interface as zone. The routing tables of policy routing, such
// as those of a VPN, do not count.
func readGateways() ([]netip.Addr, error) {
	var out []netip.Addr
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		routes, err := dump(func() ([]netlink.Route, error) {
			return netlink.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_TABLE)
		})
		if err != nil {
			return nil, err
		}
		for _, r := range routes {
			if r.Dst != nil && !isDefault(r.Dst) {
				continue
			}
			out = appendHop(out, r.Gw, r.LinkIndex)
			for _, hop := range r.MultiPath {
				out = appendHop(out, hop.Gw, hop.LinkIndex)
			}
		}
	}
	return out, nil
}

func isDefault(n *net.IPNet) bool {
	bits, _ := n.Mask.Size()
	return bits == 0 && n.IP.IsUnspecified()
}

func appendHop(to []netip.Addr, hop net.IP, link int) []netip.Addr {
	a, ok := netip.AddrFromSlice(hop)
	if !ok {
		return to
	}
	a = a.Unmap()
	if a.Is6() && a.IsLinkLocalUnicast() {
		ifi, err := net.InterfaceByIndex(link)
		if err != nil {
			return to
		}
		a = a.WithZone(ifi.Name)
	}
	return append(to, a)
}
