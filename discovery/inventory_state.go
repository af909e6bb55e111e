package discovery

import (
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// SavedDevice is a device as it stands in the state file.
type SavedDevice struct {
	ID    ID                `json:"id"`
	IDs   []Identifier      `json:"identifiers"`
	Via   Identifier        `json:"via,omitzero"`
	First time.Time         `json:"first_seen"`
	Last  time.Time         `json:"last_seen"`
	Said  map[string]*Saved `json:"said"` // by source or probe
}

// Saved is what one source or probe said of a device.
type Saved struct {
	Name     string       `json:"name,omitempty"`
	Services []Service    `json:"services,omitempty"`
	Facts    []fact.Entry `json:"facts,omitempty"`
	Finished []string     `json:"finished,omitempty"`
}

// Save returns everything that Restore needs, sorted by id.
func (inv *Inventory) Save() []SavedDevice {
	var out []SavedDevice
	for _, id := range inv.IDs() {
		if id == Hub {
			continue
		}
		r := inv.records[id]
		d, _ := inv.Device(id)
		s := SavedDevice{ID: id, IDs: d.IDs, Via: r.via, First: r.first, Last: r.last, Said: map[string]*Saved{}}
		for by, c := range r.by {
			s.Said[by] = &Saved{Name: c.name, Services: c.services, Facts: c.facts.Entries(), Finished: c.facts.FinishedBy()}
		}
		out = append(out, s)
	}
	return out
}

// Restore puts saved devices into an empty inventory. What does not make sense
// any more is left out.
func (inv *Inventory) Restore(saved []SavedDevice) {
	for _, s := range saved {
		if s.ID == Hub || s.ID == "" || inv.records[s.ID] != nil || len(inv.records) > MaxDevices {
			continue
		}
		r := inv.add(s.ID, s.First)
		r.last, r.via = s.Last, s.Via
		for _, i := range s.IDs {
			key, claimed := i, i.Kind == ClaimedIP
			if claimed {
				key.Kind = IPID
			}
			if _, taken := inv.owner[key]; taken {
				continue
			}
			inv.owner[key] = r.id
			r.ids[key] = claimed
		}
		for by, said := range s.Said {
			if by == "static" {
				continue // the owner may have changed it; what holds is told again
			}
			c := r.contribution(by, s.Last)
			c.name, c.services = said.Name, slices.Clone(said.Services)
			for _, n := range said.Facts {
				if n.Name != fact.DeviceOnline.Name() { // nobody has looked since
					c.facts.Put(n)
				}
			}
			for _, done := range said.Finished {
				c.facts.Finish(done)
			}
		}
	}
}
