package inventory

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// deriveConflicts tells of each device which disputed addresses belong to another
// device: not to another interface of the same machine, which may answer for all
// of its addresses on each (Linux does). Whoever attacks can make himself look like
// that, so it never counts for an address of the router.
func (inv *Inventory) deriveConflicts(evidence map[discovery.ID]*fact.Evidence, now time.Time) []discovery.Observation {
	d := inv.derivation(evidence, now)
	for id, e := range evidence {
		disputed, known := follow(d, id, e, fact.AddressDisputed, fact.AddressConflicts)
		if !known {
			continue
		}
		var conflicts, proof []string
		for _, s := range disputed {
			addr, owner, ok := parseDisputed(s)
			whose := ""
			if slices.Contains(inv.networks().Gateways, addr) {
				whose = ", the router's,"
			} else if !ok || inv.mayShare(id, owner) {
				continue
			}
			conflicts = append(conflicts, addr.String())
			proof = append(proof, addr.String()+whose+" is claimed by "+discovery.FormatMAC(owner.Value)+" too")
		}
		fact.AddressConflicts.Set(d.of(id), conflicts, strings.Join(proof, "; "))
	}
	return d.changes()
}

// Disputed writes an item of the word address.disputed.
func Disputed(addr netip.Addr, owner string) string { return addr.String() + " " + owner }

func parseDisputed(s string) (addr netip.Addr, owner discovery.Identifier, ok bool) {
	first, second, _ := strings.Cut(s, " ")
	addr, err := netip.ParseAddr(first)
	owner, ok = discovery.MAC(second)
	return addr, owner, ok && err == nil
}

// mayShare reports whether a device may have an address together with another one:
// both are interfaces of one machine, or one is what several routers share.
func (inv *Inventory) mayShare(id discovery.ID, owner discovery.Identifier) bool {
	d, _ := inv.Device(id)
	first, known := inv.Find(owner)
	macs := append(d.MACs(), discovery.FormatMAC(owner.Value))
	return known && (inv.oneMachine(id, first) || inv.sameLease(id, first)) || slices.ContainsFunc(macs, isShared)
}

// sameLease reports whether two devices asked for an address with one name.
func (inv *Inventory) sameLease(a, b discovery.ID) bool {
	name := func(id discovery.ID) (s string) {
		if r := inv.records[id]; r != nil {
			for by, c := range r.by {
				if inv.traits.Has(by, discovery.Resolves) {
					s, _ = fact.DeviceHostname.Get(c.facts)
				}
			}
		}
		return s
	}
	return name(a) != "" && name(a) == name(b)
}

// isShared reports whether a MAC address is of those that several routers share by
// design: VRRP (RFC 9568 section 7.3), HSRP (RFC 2281 section 5.1, and its version
// 2) and GLBP.
func isShared(mac string) bool {
	return slices.ContainsFunc([]string{"00:00:5e:00:01:", "00:00:5e:00:02:", "00:00:0c:07:ac:", "00:00:0c:9f:f", "00:07:b4:"},
		func(prefix string) bool { return strings.HasPrefix(mac, prefix) })
}

// routerContested reports whether devices claim the router's address by turns, or
// one has taken it from another that is still there: then nobody knows who the
// router is, and no device is believed about others (threat T12).
func (inv *Inventory) routerContested(evidence map[discovery.ID]*fact.Evidence) bool {
	for _, e := range evidence {
		if taken, _ := fact.AddressTaken.Get(e); len(taken) > 0 {
			return true
		}
		list, _ := fact.AddressDisputed.Get(e)
		for _, s := range list {
			if addr, _, ok := parseDisputed(s); ok && slices.Contains(inv.networks().Gateways, addr) {
				return true
			}
		}
	}
	return false
}

// allDisputed reports whether the device claims each of some addresses by turns
// with another; false for none.
func (r *record) allDisputed(from map[string]bool) bool {
	disputed := map[string]bool{}
	for _, c := range r.by {
		list, _ := fact.AddressDisputed.Get(c.facts)
		for _, s := range list {
			if addr, _, ok := parseDisputed(s); ok {
				disputed[addr.String()] = true
			}
		}
	}
	for a := range from {
		if !disputed[a] {
			return false
		}
	}
	return len(from) > 0
}
