package inventory

import "github.com/thingwarden/thingwarden/discovery"

// admit makes a new device; nil if there is no room for it.
func (inv *Inventory) admit(id discovery.ID, o discovery.Observation, out *Outcome) *record {
	r := inv.add(id, o.At)
	r.alive = !o.Quiet
	gone := len(out.Removed)
	inv.makeRoom(id, out)
	if inv.records[id] == nil {
		out.Removed = out.Removed[:gone]
		return nil
	}
	out.Appeared = append(out.Appeared, id)
	return r
}

// makeRoom removes a device when there are too many: first one of which nothing was
// ever heard but that it stands in somebody's list, then the one that was unseen for
// longest. One that only stands in a list takes no other's place, and where all are
// kept, the new one is left out (threat T14).
func (inv *Inventory) makeRoom(except discovery.ID, out *Outcome) {
	for len(inv.records) > MaxDevices+1 { // the hub is one of them
		out.Full = true
		var worst *record
		for id, r := range inv.records {
			if id == discovery.Hub || id == except || inv.keep(inv.head(id)) {
				continue
			}
			if worst == nil || !r.alive && worst.alive || r.alive == worst.alive && r.last.Before(worst.last) {
				worst = r
			}
		}
		if r := inv.records[except]; worst == nil || !r.alive && worst.alive && !inv.keep(inv.head(except)) {
			worst = r
		}
		inv.forget(worst.id)
		out.Removed = append(out.Removed, worst.id)
	}
}
