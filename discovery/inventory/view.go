package inventory

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// IDs returns the ids of all devices, the hub's among them and those that are a part
// of another left out, sorted.
func (inv *Inventory) IDs() []discovery.ID {
	all := make([]discovery.ID, 0, len(inv.records))
	for id := range inv.records {
		all = append(all, inv.head(id))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Find returns the device that has an identifier.
func (inv *Inventory) Find(i discovery.Identifier) (discovery.ID, bool) {
	if i.Kind == discovery.ClaimedIP {
		i.Kind = discovery.IPID
	}
	id, ok := inv.owner[i]
	return inv.head(id), ok
}

// Device returns a copy of a device, and whether there is one of that id.
func (inv *Inventory) Device(id discovery.ID) (discovery.Device, bool) {
	r := inv.whole(id)
	if r == nil {
		return discovery.Device{}, false
	}
	d := discovery.Device{ID: id, IDs: r.identifiers(), FirstSeen: r.first, LastSeen: r.last}
	if via, ok := inv.Find(r.via); ok && via != id {
		d.Via = via
	}
	for _, by := range inv.ranked(r) {
		c := r.by[by]
		if d.Name == "" {
			d.Name = c.name
		}
		d.Sources = append(d.Sources, by)
		d.Services = append(d.Services, c.services...)
	}
	slices.Sort(d.Sources)
	slices.SortFunc(d.Services, discovery.CompareServices)
	d.Services = slices.Compact(d.Services)
	return d, true
}

// identifiers are those of a device, sorted.
func (r *record) identifiers() (all []discovery.Identifier) {
	for i, claimed := range r.ids {
		if claimed {
			i.Kind = discovery.ClaimedIP
		}
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b discovery.Identifier) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Value, b.Value))
	})
	return all
}

// NamedBy returns who gave the name under which Device returns a device, or "".
func (inv *Inventory) NamedBy(id discovery.ID) string {
	if r := inv.whole(id); r != nil {
		for _, by := range inv.ranked(r) {
			if r.by[by].name != "" {
				return by
			}
		}
	}
	return ""
}

// ranked returns the names of those who say something of the device, the one
// whose word wins first.
func (inv *Inventory) ranked(r *record) []string {
	return slices.SortedFunc(maps.Keys(r.by), func(a, b string) int {
		return cmp.Or(cmp.Compare(inv.traits.Rank(b), inv.traits.Rank(a)), cmp.Compare(a, b))
	})
}

// Evidence returns what all contributors together say of a device, as a copy.
// For each word the strongest contributor that is sure of it wins, else the
// strongest one that has a sign of it; one that said so before the restart only if
// no other is as sure; among unknown ones, the first that
// says more than that it was not asked.
func (inv *Inventory) Evidence(id discovery.ID, now time.Time) *fact.Evidence {
	out := fact.New(agentName, now)
	r := inv.whole(id)
	if r == nil {
		return out
	}
	for _, by := range inv.ranked(r) {
		for _, n := range r.by[by].facts.Entries() {
			old, had := out.Entry(n.Name)
			if !had || weight(n) > weight(old) {
				out.Put(n)
			}
		}
		for _, done := range r.by[by].facts.FinishedBy() {
			out.Finish(done)
		}
	}
	r.addAddressWords(inv.networks(), inv.traits, out)
	return out
}

// weight orders entries of the same word by how much they say: what is sure comes
// before what is only likely, and what was confirmed since the restart before what
// was not.
func weight(n fact.Entry) int {
	switch {
	case n.Known() && !n.Likely && n.Why != fact.Restored:
		return 5
	case n.Known() && !n.Likely:
		return 4
	case n.Known() && n.Why != fact.Restored:
		return 3
	case n.Known():
		return 2
	case n.Why != fact.NotProbed:
		return 1
	}
	return 0
}
