package inventory

import (
	"cmp"
	"slices"
	"strings"

	"github.com/thingwarden/thingwarden/discovery"
)

// split parts strong identifiers, strongest first, from addresses.
func split(about []discovery.Identifier) (strong, weak []discovery.Identifier) {
	for _, i := range about {
		if i.Strong() {
			strong = append(strong, i)
		} else {
			weak = append(weak, i)
		}
	}
	order := []discovery.IDKind{discovery.ZigbeeID, discovery.ZWaveID, discovery.PartID, discovery.MACID, discovery.MatterID}
	slices.SortStableFunc(strong, func(a, b discovery.Identifier) int {
		return cmp.Compare(slices.Index(order, a.Kind), slices.Index(order, b.Kind))
	})
	return strong, weak
}

func (inv *Inventory) find(strong []discovery.Identifier) *record {
	for _, i := range strong {
		if id, ok := inv.owner[i]; ok {
			return inv.records[id]
		}
	}
	return nil
}

func isWeak(id discovery.ID) bool { return strings.HasPrefix(string(id), "ip_") }

// promote merges a device that was known by its address only into one with a
// better identity.
func (inv *Inventory) promote(old, r *record, out *Outcome) {
	for i, claimed := range old.ids {
		inv.owner[i] = r.id
		r.ids[i] = claimed
		if at, ok := old.named[i]; ok {
			r.named[i] = at
		}
	}
	for name, c := range old.by {
		if _, ok := r.by[name]; !ok {
			r.by[name] = c
		}
	}
	if old.first.Before(r.first) {
		r.first = old.first
	}
	delete(inv.records, old.id)
	out.rename(old.id, r.id)
	out.Changed = append(out.Changed, r.id)
}
