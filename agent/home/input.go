package home

import (
	"net/netip"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Input is something that a Home is told: one of the types of this file.
type Input interface {
	apply(h *Home, now time.Time) error
}

// Observation is what a source or probe reports.
type Observation struct{ discovery.Observation }

// SourceDown names a source that failed: what it reported live is unknown now.
type SourceDown string

// Health is how a part of the program is.
type Health report.Component

// Sent counts what was sent to an address; the zero address stands for the home.
type Sent struct {
	To netip.Addr
	report.Sent
}

// LeftAlone are all devices that are not probed because they stopped responding
// after they were.
type LeftAlone []discovery.ID

// PassEnded is when the last pass of the probes over the home ended.
type PassEnded time.Time

// Do is a decision or wish of the owner. A decision is on the disk, as Preview
// returned it, before it is applied.
type Do struct{ report.Command }

// Import is what the owner decided elsewhere. It is on the disk, as Preview returned
// it, before it is applied.
type Import struct{ *Transfer }

// Tick lets the home do what is due by time, and judge what has changed.
type Tick struct{}

// Effects are what is to be done because of an input.
type Effects struct {
	Err       error // why a command was refused; nothing has changed then
	Snapshot  bool  // a new snapshot is due
	Decisions bool  // the decisions differ from those that were there before
	News      []report.Event
	Sent      bool // what was withheld during a pause went to the publishers
	Learning  bool // for how long devices have been learned is to be saved
	Renamed   []Renaming
	Gone      []discovery.ID
	Judged    []Judged
	Resolve   []netip.Addr   // addresses whose hardware address is missing
	Recheck   []discovery.ID // devices to be probed again
	// Cleared are devices that may be probed although they stopped responding after
	// they were.
	Cleared []discovery.ID
	// Next is when the next Tick is due; zero for no time at all. It is set by Tick.
	Next time.Time
	// Owners are the devices that have the home's addresses, both known for sure;
	// nil while that has not changed.
	Owners map[netip.Addr]discovery.Identifier
}

// Renaming is a device that got a better identity.
type Renaming struct{ From, To discovery.ID }

// Judged is a device with the evidence by which it was judged.
type Judged struct {
	Device   discovery.Device
	Evidence *fact.Evidence
}

// Apply takes in one input. What it returns is all that has to be done because
// of it; devices that changed are judged at the next Tick.
func (c *Home) Apply(in Input, now time.Time) Effects {
	c.at = now
	err := in.apply(c, now)
	out := c.out
	out.Err = err
	c.out = Effects{}
	return out
}

func (o Observation) apply(c *Home, now time.Time) error {
	c.observe(o.Observation, now)
	return nil
}

func (s SourceDown) apply(c *Home, _ time.Time) error {
	c.sourceDown(string(s))
	return nil
}

func (h Health) apply(c *Home, _ time.Time) error {
	c.setHealth(h.Name, h.Status, h.Error)
	return nil
}

func (s Sent) apply(c *Home, _ time.Time) error {
	id := discovery.Hub
	if s.To.IsValid() {
		if owner, ok := c.inv.Find(discovery.IP(s.To)); ok {
			id = owner
		}
	}
	old := c.sent[id]
	c.sent[id] = report.Sent{Packets: old.Packets + s.Packets, Connections: old.Connections + s.Connections}
	return nil
}

func (l LeftAlone) apply(c *Home, _ time.Time) error {
	c.showLeftAlone(l)
	return nil
}

func (p PassEnded) apply(c *Home, _ time.Time) error {
	c.lastScan = time.Time(p)
	return nil
}

func (d Do) apply(c *Home, now time.Time) error { return c.decide(d.Command, now) }

func (Tick) apply(c *Home, now time.Time) error {
	c.out.Next = c.tick(now)
	return nil
}

// Decisions returns what is to be kept for good. It is the home's own, to be read
// before the next input.
func (c *Home) Decisions() *Decisions { return c.dec }

// Knows reports whether a device goes by that identifier.
func (c *Home) Knows(i discovery.Identifier) bool {
	_, ok := c.inv.Find(i)
	return ok
}
