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
// empty, and returns where to ask it by HTTP: a port and a path with its query.
// The host must stand there as one of the device's own addresses: names, other
// hosts, other schemes, user names, and ports that are never asked are refused
// (threat T1). Errors wrap ErrForbidden.
func DeviceURL(base, ref string, own []netip.Addr) (port uint16, path string, err error) {
	refuse := func(why string) (uint16, string, error) {
		return 0, "", fmt.Errorf("address %.60q given by a device: %s: %w", ref, why, ErrForbidden)
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
	switch {
	case err != nil:
		return refuse("the host is no address")
	case !slices.ContainsFunc(own, func(a netip.Addr) bool { return a.WithZone("") == host.WithZone("") }):
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
	return uint16(number), path, nil
}
