package inventory

import (
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
	c.noteSender(o.About)
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
	inv.supersede(r, o)
	if changed {
		out.Changed = append(out.Changed, r.id)
	}
}

// noteSender notes by which address an observation knows its device, unless it knows
// more of it.
func (c *contribution) noteSender(about []discovery.Identifier) {
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
	_, had := c.facts.Entry(fact.DeviceOnline.Name())
	c.facts.Remove(fact.DeviceOnline.Name())
	return had
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
