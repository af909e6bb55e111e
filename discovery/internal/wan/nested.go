// Package wan holds what all protocols share by which a router reports its line to
// the Internet.
//
// It sends nothing: the probes of the protocols do.
package wan

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// carrierNAT are the addresses that routers have outside whose provider lets
// its customers share one: behind its own router (RFC 6598), and where IPv4 comes
// through a tunnel over IPv6, as with DS-Lite (RFC 7335).
var carrierNAT = []netip.Prefix{netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/29")}

// SetNested sets whether the router's outside address is a private one, and
// reports whether it could: one that a router gave itself, for want of another, is
// none. A public address is private to the owner and left out.
func SetNested(e *fact.Evidence, outside netip.Addr, how string) bool {
	outside = outside.Unmap()
	switch {
	case outside.IsUnspecified() || outside.IsLoopback() || outside.IsLinkLocalUnicast() || !outside.Is4():
		return false
	case outside.IsPrivate() || slices.ContainsFunc(carrierNAT, func(p netip.Prefix) bool { return p.Contains(outside) }):
		fact.WANNested.Set(e, true, fmt.Sprintf("%s: %s", how, outside))
	default:
		fact.WANNested.Set(e, false, how+": a public address")
	}
	return true
}
