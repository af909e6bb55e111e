package prober

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxURL is the longest URL, in bytes, that is taken from a device.
const maxURL = 200

// DeviceURL reads a URL that a device gave, relative to base unless base is
// empty, and returns where to ask it by HTTP: an address of the device, a port,
// and a path with its query. The host must stand there as an address of own: names, other
// hosts, other schemes, user names, and ports that are never asked are refused
// (threat T1). Errors wrap ErrForbidden.
func DeviceURL(base, ref string, own []netip.Addr) (at netip.AddrPort, path string, err error) {
	refuse := func(why string) (netip.AddrPort, string, error) {
		return netip.AddrPort{}, "", fmt.Errorf("address %.60q given by a device: %s: %w", ref, why, ErrForbidden)
	}
	if len(base) > maxURL || len(ref) > maxURL {
		return refuse("too long")
	}
	u, err := url.Parse(ref)
	if err == nil && base != "" {
		var b *url.URL
		if b, err = url.Parse(base); err == nil {
			u = b.ResolveReference(u)
		}
	}
	switch {
	case err != nil:
		return refuse("not readable")
	case u.Scheme != "http" || u.Opaque != "" || u.User != nil:
		return refuse("not plain http")
	}
	host, err := netip.ParseAddr(u.Hostname())
	i := slices.IndexFunc(own, func(a netip.Addr) bool { return a.WithZone("") == host.WithZone("") })
	switch {
	case err != nil:
		return refuse("the host is no address")
	case i < 0:
		return refuse("another host than the device")
	}
	number := uint64(80)
	if p := u.Port(); p != "" {
		number, err = strconv.ParseUint(p, 10, 16)
	}
	if err != nil || neverPort(uint16(number)) {
		return refuse("the port is never asked")
	}
	path = u.RequestURI()
	if strings.IndexFunc(path, func(r rune) bool { return r <= ' ' || r >= 0x7f }) >= 0 {
		return refuse("not readable")
	}
	return netip.AddrPortFrom(own[i], uint16(number)), path, nil
}
