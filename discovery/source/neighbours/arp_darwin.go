package neighbours

import (
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/net/route"
)

// readARP reads the kernel's ARP table. It needs no privilege.
func readARP() ([]arpEntry, error) {
	rib, err := route.FetchRIB(syscall.AF_INET, syscall.NET_RT_FLAGS, syscall.RTF_LLINFO)
	if err != nil {
		return nil, fmt.Errorf("read ARP table: %w", err)
	}
	messages, err := route.ParseRIB(syscall.NET_RT_FLAGS, rib)
	if err != nil {
		return nil, fmt.Errorf("read ARP table: %w", err)
	}
	var entries []arpEntry
	for _, m := range messages {
		r, ok := m.(*route.RouteMessage)
		if !ok || len(r.Addrs) <= syscall.RTAX_GATEWAY {
			continue
		}
		ip, isIP := r.Addrs[syscall.RTAX_DST].(*route.Inet4Addr)
		link, isLink := r.Addrs[syscall.RTAX_GATEWAY].(*route.LinkAddr)
		if isIP && isLink && len(link.Addr) == 6 {
			entries = append(entries, arpEntry{link.Index, netip.AddrFrom4(ip.IP), hwaddr(link.Addr)})
		}
	}
	return entries, nil
}
