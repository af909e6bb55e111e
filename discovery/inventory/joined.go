package inventory

import (
	"cmp"
	"maps"
	"slices"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Join makes one device of two: part is shown as a part of whole from now on. What
// is known of each is kept apart, so that Split undoes it. Either may not be there
// yet. It does nothing if whole is a part of another device itself.
func (inv *Inventory) Join(part, whole discovery.ID) Outcome {
	var out Outcome
	if part == whole || part == discovery.Hub || whole == discovery.Hub || inv.head(whole) != whole || len(inv.joined[part]) > 0 {
		return out
	}
	for p, w := range inv.joined { // its own parts come with it
		if w == part {
			inv.joined[p] = whole
		}
	}
	inv.joined[part] = whole
	if inv.records[part] != nil || inv.records[whole] != nil {
		out.Changed = []discovery.ID{whole}
	}
	return out
}

// Split makes a part a device of its own again.
func (inv *Inventory) Split(part discovery.ID) Outcome {
	var out Outcome
	whole, ok := inv.joined[part]
	if !ok {
		return out
	}
	delete(inv.joined, part)
	for _, id := range []discovery.ID{part, whole} {
		switch {
		case len(inv.group(id)) > 0:
			out.Changed = append(out.Changed, id)
		case id == whole && inv.records[part] != nil:
			out.Removed = append(out.Removed, whole) // all that was seen of it is the part
		}
	}
	return out
}

// head is the device as a part of which another is shown, or that one itself.
func (inv *Inventory) head(id discovery.ID) discovery.ID { return cmp.Or(inv.joined[id], id) }

// Parts returns the devices that are shown as a part of another, sorted.
func (inv *Inventory) Parts(id discovery.ID) (all []discovery.ID) {
	for part, whole := range inv.joined {
		if whole == id {
			all = append(all, part)
		}
	}
	slices.Sort(all)
	return all
}

// group returns what is known of a device: its own record, and those of its parts.
func (inv *Inventory) group(id discovery.ID) (all []*record) {
	if r := inv.records[id]; r != nil {
		all = append(all, r)
	}
	if len(inv.joined) == 0 {
		return all
	}
	for _, part := range inv.Parts(id) {
		if r := inv.records[part]; r != nil {
			all = append(all, r)
		}
	}
	return all
}

// whole returns a device with all of its parts; nil if there is none of that id, or
// if it is a part itself. It is not to be changed.
func (inv *Inventory) whole(id discovery.ID) *record {
	if inv.head(id) != id {
		return nil
	}
	all := inv.group(id)
	if len(all) == 0 || len(all) == 1 && all[0].id == id {
		return inv.records[id]
	}
	w := &record{id: id, ids: map[discovery.Identifier]bool{}, via: all[0].via, by: map[string]*contribution{}, first: all[0].first}
	for _, r := range all {
		maps.Copy(w.ids, r.ids)
		w.alive = w.alive || r.alive
		if r.first.Before(w.first) {
			w.first = r.first
		}
		if r.last.After(w.last) {
			w.last = r.last
		}
		for by, c := range r.by {
			w.by[by] = w.by[by].with(c)
		}
	}
	return w
}

// with returns what one source or probe says of two parts of a device.
func (c *contribution) with(d *contribution) *contribution {
	if c == nil {
		return d
	}
	out := &contribution{
		name: cmp.Or(c.name, d.name), facts: c.facts.Clone(), restored: c.restored && d.restored,
		services:     slices.Concat(c.services, d.services),
		portMappings: slices.Concat(c.portMappings, d.portMappings),
		disputed:     slices.Concat(c.disputed, d.disputed),
		from:         maps.Clone(c.from),
	}
	if out.from == nil {
		out.from = d.from
	} else {
		maps.Copy(out.from, d.from)
	}
	for _, n := range d.facts.Entries() {
		if old, had := out.facts.Entry(n.Name); !had || otherPartCounts(old, n) {
			out.facts.Put(n)
		}
	}
	for _, by := range d.facts.FinishedBy() {
		out.facts.Finish(by)
	}
	return out
}

// otherPartCounts reports whether what was said of the second part of a device
// counts, and not what was said of the first. A device is there if one part is, and
// bad news of one part is bad news of the device; who a device is follows from its
// first part.
func otherPartCounts(first, second fact.Entry) bool {
	if slices.Contains(presence, first.Name) {
		yes, _ := second.Value.(bool)
		return yes && (first.Value != true || weight(second) > weight(first))
	}
	if a, b := weight(first), weight(second); a != b {
		return b > a
	}
	if first.BadNews() != second.BadNews() {
		return second.BadNews()
	}
	return fact.Lookup(first.Name).MaxAge > 0 && second.At.After(first.At)
}

// supersede drops what a probe said of other parts of a device before: it looks at
// the addresses of all of them at once, so its word is of all of them now.
func (inv *Inventory) supersede(r *record, o discovery.Observation) {
	if _, source := inv.traits[o.By]; source || len(inv.joined) == 0 {
		return
	}
	for _, part := range inv.group(inv.head(r.id)) {
		c := part.by[o.By]
		if part == r || c == nil {
			continue
		}
		for _, n := range o.Facts.Entries() {
			if n.Known() {
				c.facts.Remove(n.Name)
			}
		}
	}
}

// asShown puts the devices as which parts are shown in the place of these.
func (inv *Inventory) asShown(out Outcome) Outcome {
	for old, id := range out.Renamed {
		inv.renameJoined(old, id)
	}
	if len(inv.joined) == 0 {
		return out
	}
	shown := Outcome{Renamed: out.Renamed, Full: out.Full, Resolve: out.Resolve}
	for _, id := range out.Changed {
		shown.Changed = append(shown.Changed, inv.head(id))
	}
	for _, id := range out.Appeared {
		if len(inv.group(inv.head(id))) == 1 {
			shown.Appeared = append(shown.Appeared, inv.head(id))
		}
	}
	for _, id := range out.Removed {
		if whole := inv.head(id); len(inv.group(whole)) > 0 {
			shown.Changed = append(shown.Changed, whole)
		} else {
			shown.Removed = append(shown.Removed, whole)
		}
	}
	return shown
}

func (inv *Inventory) shownAs(ids []discovery.ID) []discovery.ID {
	return inv.asShown(Outcome{Changed: ids}).Changed
}

// renameJoined follows a device that got a better identity.
func (inv *Inventory) renameJoined(old, id discovery.ID) {
	for part, whole := range inv.joined {
		if whole == old && part != id {
			inv.joined[part] = id
		}
	}
	whole, ok := inv.joined[old]
	delete(inv.joined, old)
	if _, has := inv.joined[id]; ok && !has && whole != id && inv.head(whole) != id {
		inv.joined[id] = whole
	}
	if whole, is := inv.joined[id]; is { // what is a part has no parts of its own
		for part, w := range inv.joined {
			if w == id {
				inv.joined[part] = whole
			}
		}
	}
}
