package inventory

import (
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
		list, known := follow(d, id, e, fact.AddressDisputed, fact.AddressConflicts)
		if !known {
			continue
		}
		disputed := inv.disputed(id)
		if len(disputed) < len(list) { // the word says more than its data
			fact.AddressConflicts.Unknown(d.of(id), fact.Unreadable)
			continue
		}
		var conflicts, proof []string
		for _, x := range disputed {
			owner := ""
			if slices.Contains(inv.networks().Gateways, x.Addr) {
				owner = ", the router's,"
			} else if inv.mayShare(id, x.Owner) {
				continue
			}
			conflicts = append(conflicts, x.Addr.String())
			proof = append(proof, x.Addr.String()+owner+" is claimed by "+discovery.FormatMAC(x.Owner.Value)+" too")
		}
		fact.AddressConflicts.Set(d.of(id), conflicts, strings.Join(proof, "; "))
	}
	return d.changes()
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
		if r := inv.whole(id); r != nil {
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
	for id, e := range evidence {
		if taken, _ := fact.AddressTaken.Get(e); len(taken) > 0 {
			return true
		}
		list, _ := fact.AddressDisputed.Get(e)
		disputed := inv.disputed(id)
		if len(disputed) < len(list) { // the word says more than its data
			return true
		}
		if slices.ContainsFunc(disputed, func(x discovery.AddressDispute) bool { return slices.Contains(inv.networks().Gateways, x.Addr) }) {
			return true
		}
	}
	return false
}

// allDisputed reports whether the device claims each of some addresses by turns
// with another; false for none.
func (r *record) allDisputed(from map[string]bool) bool {
	disputed := map[string]bool{}
	for _, c := range r.by {
		if _, known := fact.AddressDisputed.Get(c.facts); !known {
			continue
		}
		for _, x := range c.disputed {
			disputed[x.Addr.String()] = true
		}
	}
	for a := range from {
		if !disputed[a] {
			return false
		}
	}
	return len(from) > 0
}

// disputed returns the addresses that a device claims by turns with others.
func (inv *Inventory) disputed(id discovery.ID) []discovery.AddressDispute {
	return reports(inv, id, fact.AddressDisputed.Name(), func(c *contribution) []discovery.AddressDispute { return c.disputed })
}
