package home

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/inventory"
)

const (
	// newPerHour is how many unknown LAN devices an hour get their own event
	// once learning is over; the others are only counted (threat T14).
	newPerHour = 20
	// crowdForgotten is how long one of the others is remembered when it is not
	// seen again.
	crowdForgotten = 24 * time.Hour
	// maxKnown is how many devices are remembered after they have gone; a device
	// of which the owner decided something always is.
	maxKnown = 2 * inventory.MaxDevices
)

// tooMany reports whether a new device is one too many in an hour.
func (c *Home) tooMany(id discovery.ID, now time.Time) bool {
	d, _ := c.inv.Device(id)
	if slices.ContainsFunc(d.IDs, func(i discovery.Identifier) bool {
		return i.Kind == discovery.ZigbeeID || i.Kind == discovery.ZWaveID
	}) {
		return false // joining a radio network takes more than a packet
	}
	c.newTimes = slices.DeleteFunc(c.newTimes, func(t time.Time) bool { return now.Sub(t) >= time.Hour })
	if len(c.newTimes) >= newPerHour {
		return true
	}
	c.newTimes = append(c.newTimes, now)
	return false
}

// crowd counts a device that is one too many.
func (c *Home) crowd(id discovery.ID) {
	c.overflow[id] = true
	c.tellCrowd()
}

// thinCrowd lets those of the crowd in that have proved to be there, as many an
// hour as any other, and forgets those that were not seen again.
func (c *Home) thinCrowd(now time.Time) {
	for _, id := range slices.Sorted(maps.Keys(c.overflow)) {
		d, _ := c.inv.Device(id)
		there, _ := fact.DeviceReachable.Get(c.evidence[id])
		there = there && !d.LastSeen.Before(c.started)
		switch {
		case now.Sub(d.LastSeen) >= crowdForgotten:
			c.inv.Forget(id)
			c.removed(id, now)
		case there && !c.tooMany(id, now):
			delete(c.overflow, id)
			c.dirty[id] = true
			c.announce(id, now)
		}
	}
	c.tellCrowd()
}

func (c *Home) tellCrowd() {
	const name = "new devices"
	switch _, told := c.health[name]; {
	case len(c.overflow) > 0:
		c.setHealth(name, discovery.Degraded, fmt.Sprintf(
			"More than %d unknown devices appeared within an hour; further ones are counted here and not shown one by one: %d.",
			newPerHour, len(c.overflow)))
	case told:
		c.setHealth(name, discovery.OK, "")
	}
}

// keep reports whether a device must not make room for others. While there is a
// crowd, only the crowd makes room: who floods the home with devices must not
// push out those that were there.
func (c *Home) keep(id discovery.ID) bool {
	return c.dec.decided(id) || len(c.overflow) > 0 && !c.overflow[id]
}

// forgetKnown forgets that a device that has gone was known, if it was never
// shown or if too many are known.
func (c *Home) forgetKnown(id discovery.ID) {
	if !c.dec.decided(id) && (c.overflow[id] || len(c.dec.Devices) > maxKnown) {
		delete(c.dec.Devices, id)
		c.out.Decisions = true
	}
}
