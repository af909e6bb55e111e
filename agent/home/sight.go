package home

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// firstSight is how long devices have to show themselves before their absence
// means something.
const firstSight = 15 * time.Second

// Sight is what can be seen of the home from this machine.
type Sight struct {
	// NoNetwork says why nothing of the home's network can be seen, in one plain
	// sentence; empty if a network is looked at.
	NoNetwork string
	// Remote is set if a source may report networks that this machine is not in: at
	// the start that is waited for.
	Remote bool
	// NoDevice is what to say while no device has shown itself.
	NoDevice string
}

func (s Sight) apply(c *Home, now time.Time) error {
	c.sight = s
	if problem := c.blind(now); problem != "" {
		c.setHealth("network", discovery.Down, problem)
	} else {
		c.setHealth("network", discovery.OK, "")
	}
	return nil
}

// blind says why nothing of the home can be seen; empty when something can.
func (c *Home) blind(now time.Time) string {
	early := c.o.Watch && now.Sub(c.started) < firstSight
	if c.sight.NoNetwork != "" && !(early && c.sight.Remote) {
		return c.sight.NoNetwork
	}
	if early {
		return ""
	}
	for id, shown := range c.shown {
		if shown.Kind != "lan" {
			continue
		}
		// What an earlier run saw, or the owner wrote down, shows nothing now. When
		// hearsay was seen by whom it comes from is not always known.
		d, _ := c.inv.Device(id)
		if c.seen(d) && !d.LastSeen.Before(c.started) || slices.ContainsFunc(d.Sources, c.working) {
			return ""
		}
	}
	return c.sight.NoDevice
}

// working reports whether a source passes on what others know, and does so now.
func (c *Home) working(source string) bool {
	return c.traits.Has(source, discovery.Hearsay) && c.health[source].Status != discovery.Down
}

// showLeftAlone shows in health which devices are left alone.
func (c *Home) showLeftAlone(ids []discovery.ID) {
	const name = "devices left alone"
	var names []string
	for _, id := range ids {
		if d, ok := c.inv.Device(id); ok {
			names = append(names, cmp.Or(d.Name, string(id)))
		}
	}
	switch _, shown := c.health[name]; {
	case len(names) > 0:
		c.setHealth(name, discovery.Degraded, fmt.Sprintf(
			"Stopped responding twice right after being probed. Thingwarden now only listens to them; press \"Check now\" to probe again: %s.",
			fact.Clean(strings.Join(names, ", "), fact.MaxText)))
	case shown:
		c.setHealth(name, discovery.OK, "")
	}
}
