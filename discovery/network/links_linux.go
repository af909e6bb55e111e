package network

import (
	"errors"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink"
)

// readLinks describes the interfaces as the kernel knows them by netlink, which
// unlike /sys always shows the namespace of the calling thread.
func readLinks() ([]link, error) {
	found, err := dump(netlink.LinkList)
	if err != nil {
		return nil, err
	}
	addrs, err := dump(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, err
	}
	byIndex := map[int][]netip.Prefix{}
	for _, a := range addrs {
		ip, ok := netip.AddrFromSlice(a.IP)
		if !ok || a.IPNet == nil {
			continue
		}
		bits, _ := a.Mask.Size()
		byIndex[a.LinkIndex] = append(byIndex[a.LinkIndex], netip.PrefixFrom(ip.Unmap(), bits))
	}
	links := make([]link, 0, len(found))
	for _, l := range found {
		at := l.Attrs()
		links = append(links, link{name: at.Name, index: at.Index, flags: at.Flags, kind: linkKind(l), addrs: byIndex[at.Index]})
	}
	return links, nil
}

// dump asks the kernel for a table until it did not change while it was read, a
// few times at most: a table that never rests is taken as it was read last.
func dump[T any](list func() ([]T, error)) ([]T, error) {
	var all []T
	var err error
	for range 5 {
		if all, err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return all, err
		}
	}
	return all, nil
}

// linkKind is empty for what leads to a real cable or radio: hardware, and the
// kernel's VLANs, bonds and macvlans on it.
func linkKind(l netlink.Link) string {
	at := l.Attrs()
	switch l.Type() {
	case "device", "vlan", "bond", "team", "macvlan", "ipvlan", "macsec", "dsa", "hsr":
	case "bridge":
		return "a bridge"
	case "veth":
		return "a container's cable (veth)"
	case "tun", "tuntap", "macvtap", "ipvtap":
		return "a tunnel or a virtual machine's network (tun/tap)"
	case "wireguard":
		return "a WireGuard tunnel"
	default:
		return "a virtual interface (" + l.Type() + ")"
	}
	if at.EncapType != "ether" || at.RawFlags&(syscall.IFF_NOARP|syscall.IFF_POINTOPOINT) != 0 {
		return "a point-to-point or virtual interface"
	}
	return ""
}
