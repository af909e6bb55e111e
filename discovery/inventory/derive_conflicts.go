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
// of its addresses on each (Linux does).
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
			if first, known := inv.Find(owner); !ok || known && inv.oneMachine(id, first) {
				continue
			}
			conflicts = append(conflicts, addr.String())
			whose := ""
			if slices.Contains(inv.networks().Gateways, addr) {
				whose = ", the router's,"
			}
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

// disputes reports whether a device claims an address by turns with another.
func disputes(e *fact.Evidence) bool {
	list, _ := fact.AddressDisputed.Get(e)
	return len(list) > 0
}
