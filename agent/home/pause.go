package home

import (
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/policy"
)

// withheld is what happened during a pause of the news to one finding, or to one
// device as a whole: the first event and the last.
type withheld struct {
	First    report.Event `json:"first"`
	Last     report.Event `json:"last"`
	Worsened bool         `json:"worsened,omitempty"`
}

// paused reports whether the owner wants no news now.
func (c *Home) paused(now time.Time) bool { return now.Before(c.dec.PausedUntil) }

// withhold keeps an event for the end of the pause. The history has it already.
func (c *Home) withhold(e report.Event) {
	same := func(w withheld) bool {
		return w.Last.Device == e.Device && w.Last.Policy == e.Policy && subject(w.Last) == subject(e)
	}
	i := slices.IndexFunc(c.withheld, same)
	if i < 0 {
		if len(c.withheld) == maxEvents {
			c.withheld = slices.Delete(c.withheld, 0, 1)
		}
		i = len(c.withheld)
		c.withheld = append(c.withheld, withheld{First: e})
	}
	w := &c.withheld[i]
	if e.Type == report.DeviceSummary && w.Last.Type == e.Type {
		e.Count += w.Last.Count
		e.Devices = append(slices.Clone(w.Last.Devices), e.Devices...)
	}
	w.Last = e
	w.Worsened = w.Worsened || e.Type == string(policy.FindingWorsened)
}

// subject parts events of a device into those of which the last one says how it is
// now, and the others, which each say something of their own.
func subject(e report.Event) string {
	switch e.Type {
	case report.DeviceReturned, report.DeviceGone:
		return "presence"
	case report.DeviceAppeared, report.DeviceIdentified:
		return "arrival"
	}
	if e.Policy != "" {
		return "finding"
	}
	return e.Type
}

// endPause sends what was withheld, once the pause is over: of each finding what
// differs from before the pause, and of all new devices one summary. What came and
// went meanwhile is in the history.
func (c *Home) endPause(now time.Time) {
	// The file of the decisions may say that the pause is over before what was
	// withheld has gone out: after a crash, or a command without an agent.
	if c.paused(now) || c.dec.PausedUntil.IsZero() && len(c.withheld) == 0 {
		return
	}
	if !c.dec.PausedUntil.IsZero() {
		c.dec.PausedUntil, c.out.Decisions = time.Time{}, true
	}
	c.out.Snapshot = true
	all := c.withheld
	c.withheld = nil
	fresh := report.Event{Type: report.DeviceSummary, Device: discovery.Hub}
	for _, w := range all {
		e := w.Last
		if e.Device != discovery.Hub && c.noNews(e.Device) {
			continue
		}
		switch subject(e) {
		case "arrival":
			if w.First.Type == report.DeviceIdentified {
				break // that it appeared was news before the pause
			}
			if k := c.dec.Devices[e.Device]; !e.Gathered && k != nil && !k.Trusted && !k.Gone {
				fresh.Count++
				fresh.Devices = append(fresh.Devices, e.Device)
			}
			continue
		case report.DeviceSummary:
			fresh.Count += e.Count
			fresh.Devices = append(fresh.Devices, e.Devices...)
			continue
		case "presence":
			if w.First.Type != e.Type {
				continue
			}
		case "finding":
			if e = w.finding(); e.Type == "" {
				continue
			}
		}
		c.send(e, now)
	}
	if fresh.Count > 0 {
		c.send(fresh, now)
	}
}

// noNews reports whether nothing of a device is news any more: it was muted,
// forgotten, or merged with another.
func (c *Home) noNews(id discovery.ID) bool {
	k := c.dec.Devices[id]
	return k == nil || k.Muted || k.PartOf != ""
}

// finding is the event that leads from how a finding was before the pause to how it
// is after it; its Type is empty if that is the same.
func (w withheld) finding() report.Event {
	open := func(e report.Event) bool {
		return e.Type != string(policy.FindingResolved) && e.Type != string(policy.FindingAccepted)
	}
	before := w.First.Type != string(policy.FindingOpened) && w.First.Type != string(policy.FindingExpired)
	e := w.Last
	switch {
	case before && open(w.Last) && w.Worsened:
		e.Type = string(policy.FindingWorsened)
	case !before && open(w.Last):
		e.Type = w.First.Type
	case before && !open(w.Last):
	default:
		e.Type = ""
	}
	return e
}

// renameWithheld follows a device that got a better identity.
func (c *Home) renameWithheld(old, id discovery.ID) {
	for i := range c.withheld {
		w := &c.withheld[i]
		if w.Last.Device == old {
			w.First.Device, w.Last.Device = id, id
		}
		if n := slices.Index(w.Last.Devices, old); n >= 0 {
			w.Last.Devices[n] = id
		}
	}
}
