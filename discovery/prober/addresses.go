package prober

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/thingwarden/thingwarden/discovery"
)

// maxIPv4 is at how many IPv4 addresses a device is asked (DESIGN section 4).
const maxIPv4 = 4

// Addresses returns the addresses at which a device is asked, since a device may
// serve one and not another: its IPv4 addresses, at most 4, those whose owner was
// shown before those that are only claimed; then at most one link-local IPv6
// address and one wider one, if that is not a temporary one. Only addresses in the
// networks that are looked at are among them.
func Addresses(d discovery.Device, networks discovery.Networks) []netip.Addr {
	var four, claimed, six []netip.Addr
	var local, wide netip.Addr
	for _, a := range d.Addrs() {
		switch {
		case guardAddr(d, networks, a) != nil:
		case a.Is4() && d.Has(discovery.IP(a)):
			four = append(four, a)
		case a.Is4():
			claimed = append(claimed, a)
		case a.IsLinkLocalUnicast():
			local = better(d, local, a)
		case isStable(d, a):
			wide = better(d, wide, a)
		}
	}
	four = append(four, claimed...)
	for _, a := range []netip.Addr{local, wide} {
		if a.IsValid() {
			six = append(six, a)
		}
	}
	out := append(four[:min(len(four), maxIPv4)], six...)
	if len(out) == 0 {
		// Better a temporary address than none.
		out = slices.DeleteFunc(d.Addrs(), func(a netip.Addr) bool { return guardAddr(d, networks, a) != nil })
		out = out[:min(len(out), 1)]
	}
	return out
}

// better prefers an address whose owner was shown, then one made of the hardware
// address.
func better(d discovery.Device, a, b netip.Addr) netip.Addr {
	rank := func(x netip.Addr) (n int) {
		if d.Has(discovery.IP(x)) {
			n += 2
		}
		if isFromMAC(d, x) {
			n++
		}
		return n
	}
	if !a.IsValid() || rank(b) > rank(a) {
		return b
	}
	return a
}

// isStable reports whether an IPv6 address is for sure no temporary one (RFC 8981):
// made of the hardware address (RFC 4291 appendix A), or given by hand.
func isStable(d discovery.Device, a netip.Addr) bool {
	b := a.As16()
	return isFromMAC(d, a) || b[8]|b[9]|b[10]|b[11]|b[12]|b[13] == 0
}

func isFromMAC(d discovery.Device, a netip.Addr) bool {
	b := a.As16()
	if b[11] != 0xff || b[12] != 0xfe {
		return false
	}
	const hex = "0123456789abcdef"
	var mac strings.Builder
	for _, x := range []byte{b[8] ^ 2, b[9], b[10], b[13], b[14], b[15]} {
		mac.WriteByte(hex[x>>4])
		mac.WriteByte(hex[x&15])
	}
	return d.Has(discovery.Identifier{Kind: discovery.MACID, Value: mac.String()})
}
