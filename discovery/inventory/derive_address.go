package inventory

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// wideInternet are the IPv6 addresses that are in use on the Internet (RFC 4291
// section 2.4 and IANA's registry: nothing else has been assigned).
var wideInternet = netip.MustParsePrefix("2000::/3")

// addAddressWords sets the words that follow from a device's addresses and the
// networks that the hub is in. An address that is only claimed shows nothing.
func (r *record) addAddressWords(networks discovery.Networks, traits Traits, e *fact.Evidence) {
	if r.id == discovery.Hub {
		return
	}
	reachable := false
	var global, public []netip.Addr
	for i, claimed := range r.ids {
		a, err := netip.ParseAddr(i.Value)
		if i.Kind != discovery.IPID || claimed || err != nil {
			continue
		}
		reachable = true
		if slices.Contains(networks.Gateways, a) {
			fact.WANGateway.Set(e, true, fmt.Sprintf("default route via %s", a))
		}
		if wideInternet.Contains(a) {
			global = append(global, a)
		}
		if isPublicIPv4(a) {
			public = append(public, a)
		}
	}
	if class, _ := e.Entry(fact.DeviceClass.Name()); reachable && len(networks.Gateways) == 0 && traits.Rank(class.By) == discovery.RankOwner && class.Value == "router" {
		// Where the kernel's routes lead through no network that is looked at, as
		// in a container, the owner's word tells.
		fact.WANGateway.Set(e, true, class.Proof)
	}
	gateway, _ := fact.WANGateway.Get(e)
	switch slices.SortFunc(public, netip.Addr.Compare); {
	case !reachable:
	case gateway || len(public) == 0:
		fact.AddressPublic.Set(e, false, "")
	default:
		fact.AddressPublic.Set(e, true, public[0].String())
	}
	slices.SortFunc(global, netip.Addr.Compare)
	switch {
	case len(global) == 1:
		fact.IPv6Global.Set(e, true, global[0].String())
	case len(global) > 1:
		fact.IPv6Global.Set(e, true, fmt.Sprintf("%s and %d more", global[0], len(global)-1))
	case reachable && slices.ContainsFunc(networks.Watched, func(w discovery.Network) bool { return wideInternet.Contains(w.Prefix.Addr()) }):
		fact.IPv6Global.Set(e, false, "")
	}
}

// notPublic are the IPv4 addresses that are not valid on the whole Internet, beside
// private, loopback, link-local and multicast ones (RFC 6890 and IANA's registry).
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
}

func isPublicIPv4(a netip.Addr) bool {
	return a.Is4() && a.IsGlobalUnicast() && !a.IsPrivate() && !slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(a) })
}
