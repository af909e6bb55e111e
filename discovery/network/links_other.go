//go:build !linux

package network

import (
	"net"
	"net/netip"
	"strings"
)

// readLinks describes the interfaces. Systems other than Linux do not tell what
// sort an interface is, so that its name must do.
func readLinks() ([]link, error) {
	found, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	links := make([]link, 0, len(found))
	for _, i := range found {
		l := link{name: i.Name, index: i.Index, flags: i.Flags, kind: linkKind(i)}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, err
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok {
				ip, _ := netip.AddrFromSlice(n.IP)
				bits, _ := n.Mask.Size()
				l.addrs = append(l.addrs, netip.PrefixFrom(ip.Unmap(), bits))
			}
		}
		links = append(links, l)
	}
	return links, nil
}

func linkKind(i net.Interface) string {
	name := strings.ToLower(i.Name)
	for _, v := range []string{
		"utun", "awdl", "llw", "bridge", "vmnet", "vnic", "feth", "ap1", "anpi", "tun", "tap", // macOS, BSD
		"vethernet", "virtualbox", "vmware", "hyper-v", "tailscale", "wireguard", "wintun", "openvpn", "zerotier", "docker", // Windows
	} {
		if strings.HasPrefix(name, v) || strings.Contains(name, v) && len(v) > 5 {
			return "a tunnel or virtual interface"
		}
	}
	if len(i.HardwareAddr) != 6 || i.Flags&net.FlagPointToPoint != 0 {
		return "a point-to-point or virtual interface"
	}
	return ""
}
