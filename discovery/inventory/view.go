package inventory

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

func (r *record) contribution(by string, at time.Time) *contribution {
	c := r.by[by]
	if c == nil {
		c = &contribution{facts: fact.New(by, at)}
		r.by[by] = c
	}
	return c
}

// apply merges an observation into what its source said of the device before.
func (inv *Inventory) apply(r *record, o discovery.Observation, out *Outcome) {
	if o.Gone {
		inv.withdraw(r, o.By, out)
		return
	}
	changed := false
	if !o.Quiet {
		r.alive = true
	}
	if !o.Quiet && o.At.After(r.last) {
		r.last = o.At
	}
	if o.Via != (discovery.Identifier{}) && o.Via != r.via {
		r.via, changed = o.Via, true
	}
	if !o.Quiet && r.isBack() {
		changed = true
	}
	changed = changed || r.by[o.By] == nil
	c := r.contribution(o.By, o.At)
	c.restored = false
	c.heardFrom(o.About)
	if name := fact.Clean(o.Name, discovery.MaxName); name != "" && name != c.name {
		c.name, changed = name, true
	}
	if o.Services != nil && !slices.Equal(c.services, o.Services) {
		c.services, changed = slices.Clone(o.Services), true
	}
	if list := o.PortMappings[:min(len(o.PortMappings), maxPortMappings)]; o.PortMappings != nil && !slices.Equal(c.portMappings, list) {
		c.portMappings, changed = slices.Clone(list), true
	}
	if o.Disputed != nil && !slices.Equal(c.disputed, o.Disputed) {
		c.disputed, changed = slices.Clone(o.Disputed), true
	}
	if mergeFacts(c.facts, o) {
		changed = true
	}
	if changed {
		out.Changed = append(out.Changed, r.id)
	}
}

// heardFrom notes by which address an observation knows its device, unless it knows
// more of it.
func (c *contribution) heardFrom(about []discovery.Identifier) {
	if len(about) != 1 || about[0].Strong() {
		return
	}
	if c.from == nil {
		c.from = map[string]bool{}
	}
	if len(c.from) < maxIDs {
		c.from[about[0].Value] = true
	}
}

// isBack takes back what the agent itself said of a device that it had not seen
// for long, and reports whether it had.
func (r *record) isBack() bool {
	c := r.by[agentName]
	if c == nil || r.id == discovery.Hub {
		return false
	}
	_, said := c.facts.Entry(fact.DeviceOnline.Name())
	c.facts.Remove(fact.DeviceOnline.Name())
	return said
}

func mergeFacts(into *fact.Evidence, o discovery.Observation) (changed bool) {
	for _, n := range o.Facts.Entries() {
		n.By, n.At = o.By, o.At
		old, had := into.Entry(n.Name)
		if !n.Known() && old.Known() && (fact.Lookup(n.Name).MaxAge > 0 || old.Why == fact.Restored && n.Why != fact.SourceDown) {
			continue // what was learned ages; not being told again does not undo it
		}
		into.Put(n)
		// A new time alone matters: it moves the expiry.
		if !had || !fact.EqualValue(old.Value, n.Value) || old.Why != n.Why || old.Proof != n.Proof ||
			fact.Lookup(n.Name).MaxAge > 0 {
			changed = true
		}
	}
	for _, by := range o.Facts.FinishedBy() {
		if !into.Finished(by) {
			into.Finish(by)
			changed = true
		}
	}
	return changed
}

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
	inv.Forget(r.id)
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
	return changed
}

// identityWords do not change while nobody looks.
var identityWords = map[string]bool{
	fact.DeviceKind.Name(): true, fact.DeviceClass.Name(): true, fact.DeviceManufacturer.Name(): true,
	fact.DeviceModel.Name(): true, fact.DeviceHardware.Name(): true, fact.DeviceMACVendor.Name(): true,
	fact.DeviceMACRandom.Name(): true, fact.DeviceHostname.Name(): true, fact.ZigbeeRole.Name(): true, fact.ZWaveEntry.Name(): true,
}

// Expire makes words that are too old unknown, and returns the devices that
// changed and when the next word will be too old; zero when none will.
func (inv *Inventory) Expire(now time.Time) (changed []discovery.ID, next time.Time) {
	for id, r := range inv.records {
		for _, c := range r.by {
			before := known(c.facts)
			n := c.facts.Expire(now)
			if known(c.facts) != before {
				changed = append(changed, id)
			}
			if !n.IsZero() && (next.IsZero() || n.Before(next)) {
				next = n
			}
		}
	}
	return changed, next
}

func known(e *fact.Evidence) (n int) {
	for _, x := range e.Entries() {
		if x.Known() {
			n++
		}
	}
	return n
}

// IDs returns the ids of all devices, the hub's among them, sorted.
func (inv *Inventory) IDs() []discovery.ID { return slices.Sorted(maps.Keys(inv.records)) }

// Find returns the device that has an identifier.
func (inv *Inventory) Find(i discovery.Identifier) (discovery.ID, bool) {
	if i.Kind == discovery.ClaimedIP {
		i.Kind = discovery.IPID
	}
	id, ok := inv.owner[i]
	return id, ok
}

// Device returns a copy of a device, and whether there is one of that id.
func (inv *Inventory) Device(id discovery.ID) (discovery.Device, bool) {
	r := inv.records[id]
	if r == nil {
		return discovery.Device{}, false
	}
	d := discovery.Device{ID: id, FirstSeen: r.first, LastSeen: r.last}
	for i, claimed := range r.ids {
		if claimed {
			i.Kind = discovery.ClaimedIP
		}
		d.IDs = append(d.IDs, i)
	}
	slices.SortFunc(d.IDs, func(a, b discovery.Identifier) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Value, b.Value))
	})
	if via, ok := inv.owner[r.via]; ok && via != id {
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

// NamedBy returns who gave the name under which Device returns a device, or "".
func (inv *Inventory) NamedBy(id discovery.ID) string {
	if r := inv.records[id]; r != nil {
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
	r := inv.records[id]
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
	case n.Why != fact.NotAsked:
		return 1
	}
	return 0
}
