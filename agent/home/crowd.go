package home

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/inventory"
)

const (
	// newPerHour is how many unknown devices an hour get their own event and are
	// shown in Home Assistant once learning is over, whichever source reports them;
	// the others are judged and counted (threats T11 and T14).
	newPerHour = 20
	// gathers is for how long devices are counted before their summary is sent, and
	// for how long a source reports its first list.
	gathers = time.Minute
	// crowdForgotten is how long one of the others is remembered when it is not
	// seen again.
	crowdForgotten = 24 * time.Hour
	// maxKnown is how many devices are remembered after they have gone; a device
	// of which the owner decided something always is.
	maxKnown = 2 * inventory.MaxDevices
)

// hourly are the times of the last hour at which something limited was done.
type hourly []time.Time

// take reports whether it may be done once more, and notes that it is.
func (h *hourly) take(now time.Time) bool {
	*h = slices.DeleteFunc(*h, func(t time.Time) bool { return now.Sub(t) >= time.Hour })
	if len(*h) >= newPerHour {
		return false
	}
	*h = append(*h, now)
	return true
}

// summary is the event that stands for all new devices without one of their own:
// one an hour at most.
type summary struct {
	count     int
	due, last time.Time // due is zero if count is
}

// hasList reports whether a source passes on a list of devices that a bridge or
// another program keeps.
func (c *Home) hasList(by string) bool {
	return c.traits.Rank(by) >= discovery.RankRegistry && !c.traits.Has(by, discovery.Opinion)
}

// noteList notes when a source with a list reported anything for the first time.
// Without a learning period every device is news.
func (c *Home) noteList(by string, now time.Time) {
	if _, known := c.listsFrom[by]; known || !c.hasList(by) {
		return
	}
	if c.listsFrom[by] = now; c.o.Learning == 0 || c.learns(now) {
		c.listsFrom[by] = time.Time{}
	}
}

// firstList reports whether a source is reporting its first list, which began
// after learning: its devices are new to us, and hardly to the owner.
func (c *Home) firstList(by string, now time.Time) bool {
	from := c.listsFrom[by]
	return !from.IsZero() && now.Sub(from) < gathers
}

// crowd counts a new device that gets no event of its own.
func (c *Home) crowd(id discovery.ID, now time.Time) {
	c.overflow[id] = true
	if c.summary.count++; c.summary.count == 1 {
		c.summary.due = now.Add(gathers)
		if next := c.summary.last.Add(time.Hour); !c.summary.last.IsZero() && next.After(c.summary.due) {
			c.summary.due = next
		}
	}
	c.reportCrowd()
}

func (c *Home) sendSummary(now time.Time) {
	if c.summary.due.IsZero() || now.Before(c.summary.due) {
		return
	}
	// One that came and went was counted each time.
	if n := min(c.summary.count, len(c.overflow)); n > 0 {
		c.event(report.Event{Type: report.DeviceSummary, Device: discovery.Hub, Count: n}, now)
	}
	c.summary = summary{last: now}
	c.next = now // some of them can be let in
}

// thinCrowd lets those of the crowd in that are there, as many an hour as any
// other, and forgets those that were not seen again.
func (c *Home) thinCrowd(now time.Time) {
	for _, id := range slices.Sorted(maps.Keys(c.overflow)) {
		d, _ := c.inv.Device(id)
		listed := slices.ContainsFunc(d.Sources, c.hasList)
		there := (listed || c.answered(id)) && !d.LastSeen.Before(c.started)
		switch {
		case !listed && now.Sub(d.LastSeen) >= crowdForgotten:
			c.inv.Forget(id)
			c.removed(id, now)
		case there && now.Sub(d.FirstSeen) >= gathers && c.announced.take(now):
			delete(c.overflow, id)
			c.dirty[id] = true
			if !listed { // else the summary has told of it
				c.announce(id, now)
			}
		}
	}
	c.reportCrowd()
	if now.Sub(c.full) >= time.Hour {
		c.setProblem("device limit", "")
	}
}

func (c *Home) reportCrowd() {
	problem := ""
	if n := len(c.overflow); n > 0 {
		problem = fmt.Sprintf(
			"Unknown devices that are judged and counted here, and not shown one by one yet: %d. At most %d an hour are shown.", n, newPerHour)
	}
	c.setProblem("new devices", problem)
}

// noteFull shows in health that there are too many devices.
func (c *Home) noteFull(now time.Time) {
	c.full = now
	c.setProblem("device limit", fmt.Sprintf(
		"More than %d devices are reported. Some that were only reported and never answered are left out, and not checked.", inventory.MaxDevices))
}

// setProblem shows a problem in health, or that it is over.
func (c *Home) setProblem(name, problem string) {
	switch _, known := c.health[name]; {
	case problem != "":
		c.setHealth(name, discovery.Degraded, problem)
	case known:
		c.setHealth(name, discovery.OK, "")
	}
}

// answered reports whether a device answered at its address in this run; that
// another program says so is no answer.
func (c *Home) answered(id discovery.ID) bool {
	n, _ := c.evidence[id].Entry(fact.DeviceReachable.Name())
	yes, _ := n.Value.(bool)
	return yes && n.Why != fact.Restored && !c.hasList(n.By)
}

// confirmed reports whether there is more to a device than that it was reported in
// this run: it answered, was there in an earlier run, or the owner decided on it.
func (c *Home) confirmed(id discovery.ID) bool {
	k := c.dec.Devices[id]
	if k == nil || c.overflow[id] && !k.decided() {
		return false
	}
	return k.decided() || k.FirstSeen.Before(c.started) || c.answered(id)
}

// keep reports whether a device must not make room for others. While there is a
// crowd, only the crowd makes room: who floods the home with devices must not
// push out those that were there.
func (c *Home) keep(id discovery.ID) bool {
	return c.confirmed(id) || len(c.overflow) > 0 && !c.overflow[id]
}

// forgetKnown forgets that a device that has gone was known, if it was never
// shown or if too many are known.
func (c *Home) forgetKnown(id discovery.ID) {
	if !c.dec.decided(id) && (c.overflow[id] || len(c.dec.Devices) > maxKnown) {
		delete(c.dec.Devices, id)
		c.out.Decisions = true
	}
}
