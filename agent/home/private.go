package home

import (
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// evening is the hour of the day, by the clock of the house, at which one summary
// tells of the devices with private addresses that came since the first.
const evening = 20

// arrival is a new device whose identification is still to be told.
type arrival struct {
	at                time.Time
	private, gathered bool // as in report.Event
}

// gathering are the new devices with private addresses since the last evening. The
// first is told at once and the others in the evening: phones and visitors make
// new addresses all the time, and none of them is to be dropped.
type gathering struct {
	Due time.Time      `json:"due,omitzero"` // when the summary is; zero if there was none since the last
	IDs []discovery.ID `json:"devices,omitempty"`
}

// nextEvening is when the day of which now is a part ends.
func nextEvening(now time.Time) time.Time {
	y, m, d := now.Date()
	due := time.Date(y, m, d, evening, 0, 0, 0, now.Location())
	if !due.After(now) {
		due = time.Date(y, m, d+1, evening, 0, 0, 0, now.Location())
	}
	return due
}

// arrive notes a new device, and whether the summary of the evening tells of it.
func (c *Home) arrive(id discovery.ID, now time.Time) arrival {
	a := arrival{at: now, private: c.hasPrivateAddress(id)}
	if !a.private || c.muted(id) {
		return a
	}
	if c.private.Due.IsZero() {
		c.private.Due = nextEvening(now)
		return a
	}
	a.gathered = true
	if !slices.Contains(c.private.IDs, id) {
		c.private.IDs = append(c.private.IDs, id)
	}
	return a
}

// hasPrivateAddress reports whether a device is known by nothing better than a
// random hardware address. Its names do not matter: anybody can choose one.
func (c *Home) hasPrivateAddress(id discovery.ID) bool {
	random, _ := fact.DeviceMACRandom.Get(c.inv.Evidence(id, c.at))
	d, _ := c.inv.Device(id)
	return random && !slices.ContainsFunc(d.IDs, func(i discovery.Identifier) bool { return i.Strong() && i.Kind != discovery.MACID })
}

// sendEvening sends the summary of the day that has ended. Those that the owner
// has trusted, muted, merged or forgotten meanwhile are no news.
func (c *Home) sendEvening(now time.Time) {
	if c.private.Due.IsZero() || now.Before(c.private.Due) {
		return
	}
	ids := slices.DeleteFunc(c.private.IDs, func(id discovery.ID) bool {
		return c.noNews(id) || c.dec.Devices[id].Trusted
	})
	c.private = gathering{}
	if len(ids) > 0 {
		c.event(report.Event{Type: report.DeviceSummary, Device: discovery.Hub, Count: len(ids), PrivateAddress: true, Devices: ids}, now)
	}
}

// renameGathered follows a device that got a better identity.
func (c *Home) renameGathered(old, id discovery.ID) {
	if i := slices.Index(c.private.IDs, old); i >= 0 {
		c.private.IDs[i] = id
	}
}
