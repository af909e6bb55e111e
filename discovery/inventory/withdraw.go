package inventory

import (
	"maps"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

func (inv *Inventory) withdraw(r *record, by string, out *Outcome) {
	if _, ok := r.by[by]; !ok || r.id == discovery.Hub {
		return
	}
	delete(r.by, by)
	out.Changed = append(out.Changed, r.id)
	for name := range r.by {
		if !inv.traits.Has(name, discovery.Opinion) {
			return
		}
	}
	inv.forget(r.id)
	out.Removed = append(out.Removed, r.id)
}

// dropOwners drops what the owner said of the device. It may have meant an
// address that now is another's, and is reported again.
func (r *record) dropOwners(t Traits) {
	maps.DeleteFunc(r.by, func(by string, _ *contribution) bool { return t.Rank(by) == discovery.RankOwner })
}

// SourceDown makes the live words that a source gave unknown, since nobody says
// any more when they change. What ages is kept until it is old.
func (inv *Inventory) SourceDown(by string) (changed []discovery.ID) {
	for id, r := range inv.records {
		c := r.by[by]
		if c == nil {
			continue
		}
		touched := false
		for _, n := range c.facts.Entries() {
			if n.Known() && fact.Lookup(n.Name).MaxAge == 0 && !identityWords[n.Name] {
				n.Value, n.Why = nil, fact.SourceDown
				c.facts.Put(n)
				touched = true
			}
		}
		if touched {
			changed = append(changed, id)
		}
	}
	return inv.shownAs(changed)
}

// identityWords do not change while nobody looks.
var identityWords = map[string]bool{
	fact.DeviceKind.Name(): true, fact.DeviceClass.Name(): true, fact.DeviceManufacturer.Name(): true,
	fact.DeviceModel.Name(): true, fact.DeviceHardware.Name(): true, fact.DeviceMACVendor.Name(): true,
	fact.DeviceMACRandom.Name(): true, fact.DeviceHostname.Name(): true, fact.ZigbeeRole.Name(): true, fact.ZWaveEntry.Name(): true,
}
