// Package network finds the networks of the home: those to which the hub is
// connected and that may be looked at, the others with the reason, and the
// gateways through which the hub reaches the Internet.
//
// It sends nothing, and it is not its job to know what is in a network.
package network

import (
	"cmp"
	"errors"
	"fmt"
	"github.com/thingwarden/thingwarden/discovery"
	"net"
	"net/netip"
	"slices"
)

// widestIPv4 is the shortest IPv4 prefix that is looked at without being named:
// 1,022 addresses.
const widestIPv4 = 22

// maxSwept is how many networks behind a router are swept.
const maxSwept = 4

// link is a network interface as far as the choice of networks needs it.
type link struct {
	name  string
	index int
	flags net.Flags
	// kind is empty for an Ethernet or Wi-Fi interface, else what it is in plain
	// words: "a bridge", "a container's veth pair".
	kind string
	// addrs are the hub's addresses with the length of their on-link prefix.
	addrs []netip.Prefix
}

// Look returns the networks that may be looked at and, for all others but
// loopback, why not.
//
// Without prefixes these are the IPv4 networks of /22 or longer in private
// address ranges on Ethernet and Wi-Fi interfaces, and the on-link IPv6 networks
// of the same interfaces. An IPv6-only interface is looked at if it has no
// public address.
//
// With prefixes these are, on any interface, the on-link networks inside a named
// prefix, or that part of an on-link network which is named. The IPv6 networks
// of such an interface belong to it unless an IPv6 prefix is named too. Prefixes
// that are not on link are in Skipped.
//
// One network is returned for each of the hub's own addresses, so several may
// have the same prefix. The error is about prefixes only, see CheckPrefix, or
// says that the interfaces could not be read.
func Look(prefixes []netip.Prefix) (discovery.Networks, error) {
	var errs []error
	for _, p := range prefixes {
		errs = append(errs, CheckPrefix(p))
	}
	if err := errors.Join(errs...); err != nil {
		return discovery.Networks{}, err
	}
	links, err := readLinks()
	if err != nil {
		return discovery.Networks{}, fmt.Errorf("read network interfaces: %w", err)
	}
	n := choose(links, prefixes)
	gateways, err := readGateways()
	if err != nil {
		return discovery.Networks{}, fmt.Errorf("read the routes to the Internet: %w", err)
	}
	for _, a := range gateways {
		if _, ok := n.OnLink(a); ok && !slices.Contains(n.Gateways, a) {
			n.Gateways = append(n.Gateways, a)
		}
	}
	return n, nil
}

// CheckPrefix says whether an owner may name the prefix: it must lie in the
// ranges for home networks (10/8, 172.16/12, 192.168/16, 169.254/16, fc00::/7,
// fe80::/10) or be an IPv6 network of /64 or longer, which is looked at only if
// it is on link. Everything else is somebody else's network (threat T22).
func CheckPrefix(p netip.Prefix) error {
	switch a := p.Addr(); {
	case !p.IsValid():
		return errors.New("not a network prefix such as 192.168.1.0/24")
	case p != p.Masked():
		return fmt.Errorf("prefix %q has bits set behind its length, meant is %q", p, p.Masked())
	case a.IsLoopback():
		return fmt.Errorf("prefix %q is the hub itself (loopback), not a home network", p)
	case a.IsMulticast() || p.Bits() == 0:
		return fmt.Errorf("prefix %q is not a home network", p)
	case home(p) || a.Is6() && !a.Is4In6() && a.IsGlobalUnicast() && p.Bits() >= 64:
		return nil
	default:
		return fmt.Errorf("prefix %q is not private: only home networks are looked at (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 169.254.0.0/16, fc00::/7, fe80::/10)", p)
	}
}

// home reports whether the whole prefix lies in a range for home networks.
func home(p netip.Prefix) bool {
	return slices.ContainsFunc(homeRanges(), func(r netip.Prefix) bool { return within(p, r) })
}

func homeRanges() []netip.Prefix {
	v4 := func(a, b byte, bits int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b}), bits)
	}
	v6 := func(a byte, b byte, bits int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom16([16]byte{a, b}), bits)
	}
	return []netip.Prefix{
		v4(10, 0, 8), v4(172, 16, 12), v4(192, 168, 16), v4(169, 254, 16), v6(0xfc, 0, 7), v6(0xfe, 0x80, 10),
	}
}

// within reports whether p is inside q or equal to it.
func within(p, q netip.Prefix) bool {
	return p.Addr().BitLen() == q.Addr().BitLen() && p.Bits() >= q.Bits() && q.Contains(p.Addr())
}

// choose is Look on described interfaces.
func choose(links []link, named []netip.Prefix) discovery.Networks {
	var n discovery.Networks
	for _, l := range links {
		if l.flags&net.FlagLoopback != 0 {
			continue
		}
		if reason := unusable(l, len(named) > 0); reason != "" {
			n.Skipped = append(n.Skipped, discovery.Skipped{Interface: l.name, Reason: reason})
			for _, a := range l.addrs {
				n.Near = append(n.Near, a.Masked())
			}
			continue
		}
		chooseOn(&n, l, named)
	}
	for _, p := range named {
		switch {
		case slices.ContainsFunc(n.Watched, func(w discovery.Network) bool { return within(w.Prefix, p) }):
		case routable(p):
			n.Routed = append(n.Routed, p)
			if p.Bits() >= widestIPv4 && len(n.Swept) < maxSwept {
				n.Swept = append(n.Swept, p)
			}
		default:
			n.Skipped = append(n.Skipped, discovery.Skipped{Prefix: p, Reason: "named in the configuration, but the hub has no address in it, so it is not directly connected"})
		}
	}
	slices.SortStableFunc(n.Watched, func(a, b discovery.Network) int {
		return cmp.Or(cmp.Compare(a.Index, b.Index), a.Prefix.Addr().Compare(b.Prefix.Addr()))
	})
	return n
}

// routable reports whether a network may be one of the home without the hub having
// an address in it: the ranges of RFC 1918.
func routable(p netip.Prefix) bool { return p.Addr().Is4() && p.Addr().IsPrivate() && home(p) }

// AddRouted adds networks of the home that somebody told who is in them, if nothing
// of the home is on link and the owner named none: those of private IPv4 addresses,
// /22 or longer, in which no interface of the hub is, as the others would be looked
// at if the hub were in them (threat T22).
func AddRouted(n discovery.Networks, routed []netip.Prefix) discovery.Networks {
	if len(n.Watched) > 0 || len(n.Routed) > 0 {
		return n
	}
	for _, p := range routed {
		near := slices.ContainsFunc(n.Near, p.Overlaps)
		if p.IsValid() && p == p.Masked() && routable(p) && p.Bits() >= widestIPv4 && !near && !slices.Contains(n.Routed, p) {
			n.Routed = append(n.Routed, p)
		}
	}
	return n
}

// unusable says why nothing on the interface is looked at; empty if something may be.
func unusable(l link, named bool) string {
	switch {
	case l.flags&net.FlagUp == 0:
		return "switched off"
	case l.flags&net.FlagRunning == 0:
		return "no cable or no Wi-Fi connection"
	case len(l.addrs) == 0:
		return "has no address"
	case l.kind != "" && !named:
		return "is " + l.kind + ", not Ethernet or Wi-Fi; name its network in the configuration to look at it"
	default:
		return ""
	}
}

// chooseOn adds the networks of one usable interface.
func chooseOn(n *discovery.Networks, l link, named []netip.Prefix) {
	named6 := slices.ContainsFunc(named, func(p netip.Prefix) bool { return p.Addr().Is6() })
	four, has4 := false, false
	for _, a := range l.addrs {
		if a.Addr().Is4() {
			has4 = true
			four = add(n, l, a, named) || four
		}
	}
	for _, a := range l.addrs {
		if !a.Addr().Is6() {
			continue
		}
		byDefault := named
		switch {
		case len(named) == 0 && !four && (has4 || hasPublic6(l)):
			skip(n, l, a, "the interface has no private IPv4 network that is looked at")
			continue
		case len(named) > 0 && !named6 && four:
			byDefault = nil
		}
		add(n, l, a, byDefault)
	}
	// A virtual address of the hub (VRRP, failover) is a prefix of its own
	// length inside another's network.
	for _, a := range l.addrs {
		if w, ok := networkOn(n, l, a.Addr()); ok && a.IsSingleIP() {
			w.Own = a.Addr()
			n.Watched = append(n.Watched, w)
		}
	}
}

// add adds the network of one own address, or the reason why not.
func add(n *discovery.Networks, l link, own netip.Prefix, named []netip.Prefix) bool {
	prefix := own.Masked()
	reason := ""
	switch {
	case own.IsSingleIP():
		return false
	case len(named) > 0:
		return addNamed(n, l, own, named)
	case prefix.Addr().Is4() && !home(prefix):
		reason = "public addresses, not a home network"
	case prefix.Addr().Is4() && prefix.Bits() < widestIPv4:
		reason = fmt.Sprintf("has more than %d addresses; name it, or a part of it, in the configuration to look at it", 1<<(32-widestIPv4))
	case prefix.Addr().Is6() && prefix.Bits() < 64 && !home(prefix):
		reason = "public addresses of more than one network"
	}
	if reason != "" {
		skip(n, l, own, reason)
		return false
	}
	n.Watched = append(n.Watched, discovery.Network{Interface: l.name, Index: l.index, Prefix: prefix, Own: own.Addr()})
	return true
}

func addNamed(n *discovery.Networks, l link, own netip.Prefix, named []netip.Prefix) (added bool) {
	prefix := own.Masked()
	for _, p := range named {
		part := prefix
		switch {
		case within(prefix, p):
		case within(p, prefix):
			part = p
		default:
			continue
		}
		w := discovery.Network{Interface: l.name, Index: l.index, Prefix: part, Own: own.Addr()}
		if !slices.Contains(n.Watched, w) {
			n.Watched = append(n.Watched, w)
		}
		added = true
	}
	if !added {
		skip(n, l, own, "not among the networks named in the configuration")
	}
	return added
}

func skip(n *discovery.Networks, l link, own netip.Prefix, reason string) {
	n.Skipped = append(n.Skipped, discovery.Skipped{Interface: l.name, Prefix: own.Masked(), Reason: reason})
	n.Near = append(n.Near, own.Masked())
}

// networkOn returns a network of the interface in which the address lies.
func networkOn(n *discovery.Networks, l link, a netip.Addr) (discovery.Network, bool) {
	i := slices.IndexFunc(n.Watched, func(w discovery.Network) bool { return w.Index == l.index && w.Prefix.Contains(a) })
	if i < 0 {
		return discovery.Network{}, false
	}
	return n.Watched[i], true
}

func hasPublic6(l link) bool {
	return slices.ContainsFunc(l.addrs, func(p netip.Prefix) bool {
		return p.Addr().Is6() && p.Addr().IsGlobalUnicast() && !p.Addr().IsPrivate()
	})
}
