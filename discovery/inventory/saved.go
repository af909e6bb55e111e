package inventory

import (
	"maps"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// SavedDevice is a device as it stands in the state file.
type SavedDevice struct {
	ID      discovery.ID           `json:"id"`
	IDs     []discovery.Identifier `json:"identifiers"`
	Via     discovery.Identifier   `json:"via,omitzero"`
	First   time.Time              `json:"first_seen"`
	Last    time.Time              `json:"last_seen"`
	Reports map[string]*Saved      `json:"said"` // by source or probe
}

// Saved is what one source or probe said of a device.
type Saved struct {
	Name         string                     `json:"name,omitempty"`
	Services     []discovery.Service        `json:"services,omitempty"`
	Facts        []fact.Entry               `json:"facts,omitempty"`
	PortMappings []discovery.PortMapping    `json:"port_mappings,omitempty"`
	Disputed     []discovery.AddressDispute `json:"disputed,omitempty"`
	Finished     []string                   `json:"finished,omitempty"`
}

// Save returns everything that Restore needs, sorted by id.
func (inv *Inventory) Save() []SavedDevice {
	var out []SavedDevice
	for _, id := range slices.Sorted(maps.Keys(inv.records)) {
		if id == discovery.Hub {
			continue
		}
		r := inv.records[id]
		s := SavedDevice{ID: id, IDs: r.identifiers(), Via: r.via, First: r.first, Last: r.last, Reports: map[string]*Saved{}}
		for by, c := range r.by {
			s.Reports[by] = &Saved{Name: c.name, Services: c.services, Facts: c.facts.Entries(), Finished: c.facts.FinishedBy(), PortMappings: c.portMappings, Disputed: c.disputed}
		}
		out = append(out, s)
	}
	return out
}

// Restore puts saved devices into an empty inventory. What does not make sense
// any more is left out. Live words keep their values, marked fact.Restored, until
// somebody tells them again or EndRestored is called: nobody has looked since.
func (inv *Inventory) Restore(saved []SavedDevice) {
	for _, s := range saved {
		if s.ID == discovery.Hub || s.ID == "" || inv.records[s.ID] != nil || len(inv.records) > MaxDevices {
			continue
		}
		r := inv.add(s.ID, s.First)
		r.last, r.via, r.alive = s.Last, s.Via, true
		for _, i := range s.IDs {
			key, claimed := i, i.Kind == discovery.ClaimedIP
			if claimed {
				key.Kind = discovery.IPID
			}
			if _, taken := inv.owner[key]; taken {
				continue
			}
			inv.owner[key] = r.id
			r.ids[key] = claimed
			inv.shared = inv.shared || key.Kind == discovery.PartID
			if key.Kind == discovery.IPID {
				r.named[key] = s.Last
			}
		}
		if len(r.ids) == 0 {
			delete(inv.records, s.ID) // nobody could ever speak of it
			continue
		}
		for by, saved := range s.Reports {
			if saved == nil || inv.traits.Rank(by) == discovery.RankOwner {
				continue // the owner may have changed it; what holds is told again
			}
			c := r.contribution(by, s.Last)
			c.name, c.services, c.restored = saved.Name, slices.Clone(saved.Services), true
			c.restore(saved)
		}
	}
}

// restore takes in what was saved.
func (c *contribution) restore(saved *Saved) {
	c.portMappings, c.disputed = slices.Clone(saved.PortMappings), slices.Clone(saved.Disputed)
	for _, n := range saved.Facts {
		w := fact.Lookup(n.Name)
		if w == nil {
			continue
		}
		n.Name = w.Name // it may have been renamed since
		if n.Known() && w.MaxAge == 0 && !identityWords[n.Name] {
			n.Why = fact.Restored
		}
		c.facts.Put(c.renew(n, saved))
	}
	for _, done := range saved.Finished {
		c.facts.Finish(done)
	}
}

// EndRestored makes the live words from before the restart unknown that nobody
// has told again, and returns the devices that had any. Call it when sources have
// had the time to tell of all their devices.
func (inv *Inventory) EndRestored() (changed []discovery.ID) {
	for id, r := range inv.records {
		had := false
		for _, c := range r.by {
			had = c.endRestored() || had
		}
		if had {
			changed = append(changed, id)
		}
	}
	return inv.shownAs(changed)
}

func (c *contribution) endRestored() (had bool) {
	why := fact.NotReported
	if c.restored {
		why = fact.NotProbed
	}
	for _, n := range c.facts.Entries() {
		if n.Why != fact.Restored {
			continue
		}
		had = true
		c.facts.Remove(n.Name)
		c.facts.Unfinish(n.By)                  // has to look again
		if n.Name != fact.DeviceOnline.Name() { // whether it is there is for the agent to say
			c.facts.Put(fact.Entry{Name: n.Name, By: n.By, At: n.At, Why: why})
		}
	}
	return had
}

// Left withdraws what a source said before the restart of devices that have
// left its network meanwhile: it has told of others that are reached through the
// same device, and not of them. Call it when sources have had the time to tell
// of all their devices.
func (inv *Inventory) Left() (out Outcome) {
	type network struct {
		via discovery.Identifier
		by  string
	}
	reporting := map[network]bool{}
	for _, r := range inv.records {
		for by, c := range r.by {
			reporting[network{r.via, by}] = reporting[network{r.via, by}] || !c.restored
		}
	}
	for _, id := range slices.Sorted(maps.Keys(inv.records)) {
		r := inv.records[id]
		for by, c := range r.by {
			if c.restored && r.via != (discovery.Identifier{}) && reporting[network{r.via, by}] {
				inv.withdraw(r, by, &out)
			}
		}
	}
	return inv.asShown(out)
}
