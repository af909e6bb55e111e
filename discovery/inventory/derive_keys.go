package inventory

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// deriveKeys tells of each device which others encrypt with the same key. Both
// have shown that they hold the secret one, or pass on to one who does. Two
// interfaces of one machine are no two devices, nor are two that were never there
// at the same time: a machine that went from Wi-Fi to cable, or changed its MAC
// address, is one.
func (inv *Inventory) deriveKeys(evidence map[discovery.ID]*fact.Evidence, now time.Time) []discovery.Observation {
	d := inv.derivation(evidence, now)
	holders := map[string][]discovery.ID{}
	for _, id := range inv.IDs() {
		keys, _ := fact.TLSKeys.Get(evidence[id])
		for _, k := range keys {
			holders[k] = append(holders[k], id)
		}
	}
	for id, e := range evidence {
		keys, known := follow(d, id, e, fact.TLSKeys, fact.TLSKeySharedWith)
		if !known {
			continue
		}
		var with, proof []string
		for _, k := range keys {
			others := slices.DeleteFunc(slices.Clone(holders[k]), func(o discovery.ID) bool { return inv.oneMachine(id, o) || inv.neverMet(id, o) })
			if len(others) > 0 {
				with = append(with, inv.stableNames(others)...)
				proof = append(proof, fmt.Sprintf("public key SHA-256 %s also at %s", k, strings.Join(inv.stableNames(others), ", ")))
			}
		}
		slices.Sort(with)
		fact.TLSKeySharedWith.Set(d.of(id), slices.Compact(with), strings.Join(proof, "; "))
	}
	return d.changes()
}

// stableNames names devices by what does not change and what nobody but us has written.
func (inv *Inventory) stableNames(ids []discovery.ID) (out []string) {
	for _, id := range ids {
		d, _ := inv.Device(id)
		if macs := d.MACs(); len(macs) > 0 {
			out = append(out, macs[0])
		} else {
			out = append(out, string(id))
		}
	}
	return out
}

// oneMachine reports whether two devices are interfaces of one machine: by
// multicast DNS both have the same host name, which no two machines can
// (RFC 6762 section 8.1). Names from elsewhere are shared by all of one model. What
// was heard from a disputed address may be either one's, and counts for neither.
func (inv *Inventory) oneMachine(a, b discovery.ID) bool {
	if a == b {
		return true
	}
	name := func(id discovery.ID) string {
		r := inv.whole(id)
		if r == nil {
			return ""
		}
		for by, c := range r.by {
			s, ok := fact.DeviceHostname.Get(c.facts)
			if ok && inv.traits.Has(by, discovery.NamesMachines) && !r.allDisputed(c.from) {
				return strings.ToLower(s)
			}
		}
		return ""
	}
	return name(a) != "" && name(a) == name(b)
}

// neverMet reports whether one of two devices was last seen before the other was
// seen first.
func (inv *Inventory) neverMet(a, b discovery.ID) bool {
	x, y := inv.whole(a), inv.whole(b)
	return x != nil && y != nil && (x.last.Before(y.first) || y.last.Before(x.first))
}
