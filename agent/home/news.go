package home

import (
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/policy"
)

func (c *Home) deviceEvent(kind string, id discovery.ID, now time.Time) {
	if !c.muted(id) {
		c.event(report.Event{Type: kind, Device: id}, now)
	}
}

// arrivalEvent makes it news that a new device appeared or was identified.
func (c *Home) arrivalEvent(kind string, id discovery.ID, a arrival, now time.Time) {
	if !c.muted(id) {
		c.event(report.Event{Type: kind, Device: id, PrivateAddress: a.private, Gathered: a.gathered}, now)
	}
}

func (c *Home) findingEvent(ch policy.Change, id discovery.ID, now time.Time) {
	if !c.muted(id) && !c.overflow[id] {
		c.event(report.Event{Type: string(ch.Type), Device: id, Policy: ch.Policy}, now)
	}
}

func (c *Home) muted(id discovery.ID) bool {
	k := c.dec.Devices[id]
	return k != nil && k.Muted
}

// event appends an event, or keeps it for the end of a pause. Numbers rise over
// restarts, even when the newest were not saved: they are at least the time in
// milliseconds.
func (c *Home) event(e report.Event, now time.Time) {
	c.seq = max(c.seq+1, uint64(now.UnixMilli()))
	e.Seq, e.At = c.seq, now.UTC().Round(0)
	c.out.News = append(c.out.News, e)
	if c.paused(now) {
		c.withhold(e)
		return
	}
	c.show(e)
}

// send makes news again of what was withheld, which is in the history already.
func (c *Home) send(e report.Event, now time.Time) {
	c.seq = max(c.seq+1, uint64(now.UnixMilli()))
	e.Seq, e.At = c.seq, now.UTC().Round(0)
	c.show(e)
	c.out.Sent = true
}

// show hands an event to the publishers.
func (c *Home) show(e report.Event) {
	if n := len(c.events) + 1 - maxEvents; n > 0 {
		c.events = slices.Delete(c.events, 0, n)
	}
	c.events = append(c.events, e)
	c.out.Snapshot = true
}

// passingEvent makes it news that a device came back or went away, and reports
// whether it is. Of devices that
// were only reported, a limited number an hour is: a forged list comes and goes.
func (c *Home) passingEvent(kind string, id discovery.ID, now time.Time) bool {
	ok := c.confirmed(id) || c.passing.take(now)
	if ok {
		c.deviceEvent(kind, id, now)
	}
	return ok
}
