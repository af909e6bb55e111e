// Package home is the agent's core: all that is known of the home, as a pure
// function of what it is told and when. Apply takes an input and returns what has
// to be done because of it.
//
// It does no I/O, reads no clock and starts no goroutine: to keep files is package
// store's job, to run sources and publishers the agent's.
package home

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/inventory"
	"github.com/thingwarden/thingwarden/discovery/product"
	"github.com/thingwarden/thingwarden/policy"
)

const (
	// eventsFor is how long an event can still be sent, and maxEvents how many:
	// a device that changes what it says all the time makes two each time.
	eventsFor = 10 * time.Minute
	maxEvents = 1000
	// goneAfter is how long a LAN device is away before it counts as gone; phones
	// sleep and people travel.
	goneAfter = 24 * time.Hour
	// unseenAfter is after which silence a device that was known before the
	// agent started counts as away.
	unseenAfter = 15 * time.Minute
	// A new device counts as identified at the latest after identifyWithin.
	identifyWithin = 20 * time.Second
	// A device with a random hardware address is shown after randomShown, and
	// forgotten when unseen for randomForgotten without a decision.
	randomShown     = 24 * time.Hour
	randomForgotten = 14 * 24 * time.Hour
	maxForgotten    = 2000
)

// Home is all that the agent knows, and everything that changes it: state +
// input + now → state and effects. One goroutine, the agent's loop, owns it.
type Home struct {
	o       Options
	set     *policy.Set
	traits  inventory.Traits
	started time.Time

	inv        *inventory.Inventory
	ledger     *policy.Ledger
	dec        *Decisions
	evidence   map[discovery.ID]*fact.Evidence
	shown      map[discovery.ID]report.Device
	sent       map[discovery.ID]report.Sent
	health     map[string]report.Component
	failing    map[string]map[discovery.ID]bool // by policy: devices on which it can't be evaluated
	awayFrom   map[discovery.ID]time.Time
	dirty      map[discovery.ID]bool
	again      map[discovery.ID]time.Time
	next       time.Time // of the inventory
	sight      Sight
	at         time.Time     // of the input that is being applied
	ticked     time.Time     // the last tick
	learnedFor time.Duration // until then
	// learnedSaved is for how long it had been when that was last to be saved.
	learnedSaved time.Duration
	moved        bool // addresses may have other owners

	events    []report.Event
	seq       uint64
	announced hourly // new devices with an event of their own
	passing   hourly // events of devices that came back or went away and were only reported
	overflow  map[discovery.ID]bool
	listsFrom map[string]time.Time // when a source began to report its list; zero if that was no news
	summary   summary
	full      time.Time                // when a device had to be left out last
	nameless  map[discovery.ID]arrival // new devices that have not been identified
	private   gathering
	withheld  []withheld // events since the owner paused the news
	forgotten []discovery.ID
	lastScan  time.Time

	out Effects // of what was applied since Apply returned
}

// Options are what a Home is made of. All but State are required.
type Options struct {
	Site, Version string
	Policies      *policy.Set
	Cards         *product.Cards
	// Pending returns the words that probes are going to give of a device and have
	// not given yet, marked as unknown.
	Pending func(discovery.Device, *fact.Evidence) *fact.Evidence
	// Watch is set to look out for new devices, which a scan does not.
	Watch     bool
	Learning  time.Duration
	Networks  func() discovery.Networks
	Sources   []discovery.SourceKind
	Decisions *Decisions
	State     *State // nil: nothing was learned before
}

// New returns a home as its files tell.
func New(o Options, now time.Time) *Home {
	c := &Home{
		o: o, set: o.Policies, traits: inventory.TraitsOf(o.Sources), started: now, dec: o.Decisions,
		evidence: map[discovery.ID]*fact.Evidence{}, shown: map[discovery.ID]report.Device{},
		sent: map[discovery.ID]report.Sent{}, health: map[string]report.Component{},
		awayFrom: map[discovery.ID]time.Time{}, dirty: map[discovery.ID]bool{}, again: map[discovery.ID]time.Time{},
		overflow: map[discovery.ID]bool{}, listsFrom: map[string]time.Time{}, nameless: map[discovery.ID]arrival{}, failing: map[string]map[discovery.ID]bool{},
		next: now, ticked: now, out: Effects{Snapshot: true},
	}
	c.ledger = policy.NewLedger(o.Policies, accepted{c})
	if !o.Watch {
		c.ledger.SettleAtOnce()
	}
	for _, k := range c.dec.Devices {
		k.Accepted = c.set.RenewAcceptances(k.Accepted)
	}
	c.traits[product.By] = discovery.SourceKind{Rank: discovery.RankRecognised}
	c.inv = inventory.New(o.Networks, o.Sources, c.keep, now)
	if o.State != nil {
		c.restore(o.State)
	}
	c.join(now)
	if past := now.Sub(c.dec.LearningFrom); c.dec.Old && past > c.learnedFor {
		c.learnedFor = past
	}
	for _, id := range c.inv.IDs() {
		c.dirty[id] = true
	}
	return c
}

// observe takes in what a source or probe reports.
func (c *Home) observe(o discovery.Observation, now time.Time) {
	if o.At.IsZero() {
		o.At = now
	}
	c.noteList(o.By, now)
	c.take(c.inv.Observe(o), now)
}

// take follows up what the inventory says has changed.
func (c *Home) take(out inventory.Outcome, now time.Time) {
	for old, id := range out.Renamed {
		c.rename(old, id)
	}
	for _, id := range out.Appeared {
		c.appeared(id, now)
	}
	for _, id := range out.Changed {
		c.dirty[id] = true
	}
	for _, id := range out.Removed {
		c.removed(id, now)
	}
	if out.Full {
		c.noteFull(now)
	}
	c.out.Resolve = append(c.out.Resolve, out.Resolve...)
	if len(out.Appeared) > 0 || len(out.Resolve) > 0 {
		c.next = now // the inventory may have something to do
	}
}

func (c *Home) rename(old, id discovery.ID) {
	if c.overflow[old] && c.dec.Devices[id] == nil {
		c.overflow[id] = true
	}
	if a, ok := c.nameless[old]; ok {
		c.nameless[id] = a
	}
	c.renameGathered(old, id)
	for i := range c.events {
		if c.events[i].Device == old {
			c.events[i].Device = id
		}
	}
	c.renameWithheld(old, id)
	c.ledger.Rename(string(old), string(id))
	c.dec.rename(old, id)
	c.out.Decisions = true
	s := c.sent[old]
	t := c.sent[id]
	c.sent[id] = report.Sent{Packets: s.Packets + t.Packets, Connections: s.Connections + t.Connections}
	delete(c.sent, old)
	c.drop(old)
	c.out.Renamed = append(c.out.Renamed, Renaming{old, id})
	c.dirty[id] = true
}

func (c *Home) drop(id discovery.ID) {
	c.moved = true
	c.out.Gone = append(c.out.Gone, id)
	delete(c.evidence, id)
	delete(c.shown, id)
	delete(c.dirty, id)
	delete(c.again, id)
	delete(c.awayFrom, id)
	delete(c.overflow, id)
	delete(c.nameless, id)
	c.forgetFailing(id)
	c.out.Snapshot = true
}

// appeared handles a device that the inventory did not have.
func (c *Home) appeared(id discovery.ID, now time.Time) {
	c.forgotten = slices.DeleteFunc(c.forgotten, func(f discovery.ID) bool { return f == id })
	d, _ := c.inv.Device(id)
	if k := c.dec.Devices[id]; k != nil {
		if k.Gone && c.seen(d) {
			k.Gone, c.out.Decisions = false, true
			if !c.passingEvent(report.DeviceReturned, id, now) && k.Appeared {
				c.crowd(id, now)
			}
		}
		return
	}
	k := c.dec.device(id, now)
	c.out.Decisions = true
	if !c.o.Watch || c.learns(now) {
		return
	}
	k.Appeared = true
	if slices.ContainsFunc(d.Sources, func(by string) bool { return c.firstList(by, now) }) || !c.announced.take(now) {
		c.crowd(id, now)
		return
	}
	c.announce(id, now)
}

// announce makes it news that a device appeared; what it is follows.
func (c *Home) announce(id discovery.ID, now time.Time) {
	a := c.arrive(id, now)
	c.arrivalEvent(report.DeviceAppeared, id, a, now)
	c.nameless[id] = a
}

// removed handles a device that no source sees any more.
func (c *Home) removed(id discovery.ID, now time.Time) {
	if k := c.dec.Devices[id]; k != nil && !k.Gone && !c.overflow[id] {
		k.Gone, c.out.Decisions = true, true
		c.passingEvent(report.DeviceGone, id, now)
	}
	c.ledger.Forget(string(id)) // acceptances hold when the device returns
	c.forgetKnown(id)
	c.drop(id)
	delete(c.sent, id)
	c.withdraw(id)
}

// withdraw has publishers take back what they show of a device.
func (c *Home) withdraw(id discovery.ID) {
	c.forgotten = append(c.forgotten, id)
	if n := len(c.forgotten) - maxForgotten; n > 0 {
		c.forgotten = slices.Delete(c.forgotten, 0, n)
	}
}

func (c *Home) setHealth(name string, status discovery.Status, problem string) {
	n := report.Component{Name: name, Title: c.traits[name].Title, Status: status, Error: problem}
	if c.health[name] != n {
		c.health[name] = n
		c.out.Snapshot = true
	}
}

// sourceDown is called when a source failed: what it said live is unknown now.
func (c *Home) sourceDown(name string) {
	for _, id := range c.inv.SourceDown(name) {
		c.dirty[id] = true
	}
}

// tick does what is due by time alone, and returns when it wants to be called
// next.
func (c *Home) tick(now time.Time) time.Time {
	c.at = now
	c.learn(now)
	c.sendSummary(now)
	c.sendEvening(now)
	c.endPause(now)
	if !c.next.IsZero() && !now.Before(c.next) {
		out, next := c.inv.Tick(now)
		expired, expiry := c.inv.Expire(now)
		for _, id := range expired {
			c.dirty[id] = true
		}
		c.next = earliest(next, expiry, now.Add(unseenAfter))
		c.take(out, now)
		c.cleanUp(now)
	}
	for id, t := range c.again {
		if !now.Before(t) {
			delete(c.again, id)
			c.dirty[id] = true
		}
	}
	c.judge(now)
	if c.moved {
		c.moved, c.out.Owners = false, c.owners()
	}
	next := earliest(c.next, c.summary.due, c.private.Due, c.dec.PausedUntil)
	for _, t := range c.again {
		next = earliest(next, t)
	}
	return next
}

// cleanUp forgets devices that nobody will miss, and marks as away those that
// were known before the start and have not been seen since.
func (c *Home) cleanUp(now time.Time) {
	for _, id := range c.inv.IDs() {
		d, _ := c.inv.Device(id)
		random, _ := fact.DeviceMACRandom.Get(c.evidence[id])
		// One that another program still reports would come back as a new one.
		reported := slices.ContainsFunc(d.Sources, func(by string) bool { return c.traits.Has(by, discovery.Hearsay) })
		if random && now.Sub(d.LastSeen) > randomForgotten && !c.dec.decided(id) && !reported {
			c.inv.Forget(id)
			c.removed(id, now)
			delete(c.dec.Devices, id)
			c.out.Decisions = true
			continue
		}
		kind, _ := fact.DeviceKind.Get(c.evidence[id])
		if kind == "lan" && d.LastSeen.Before(c.started) && now.Sub(c.started) >= unseenAfter {
			o := discovery.Observation{By: "agent", At: now, About: d.IDs[:1], Facts: fact.New("agent", now), Quiet: true}
			fact.DeviceOnline.Set(o.Facts, false, "")
			// Beyond a router nobody sees when it was there last: who tells of it counts.
			o.Gone = c.knownReachable(id)
			c.take(c.inv.Observe(o), now)
		}
	}
	c.thinCrowd(now)
	if now.Sub(c.started) >= unseenAfter {
		c.take(c.inv.Left(), now)
		for _, id := range c.inv.EndRestored() {
			c.dirty[id] = true
		}
	}
	c.events = slices.DeleteFunc(c.events, func(e report.Event) bool { return now.Sub(e.At) > eventsFor })
}

// knownReachable reports whether somebody tells, in this run, that a device has an
// address by which it is reached.
func (c *Home) knownReachable(id discovery.ID) bool {
	n, _ := c.evidence[id].Entry(fact.DeviceReachable.Name())
	reachable, _ := n.Value.(bool)
	return reachable && n.Why != fact.Restored
}

// owners are the devices that have the home's addresses, as far as both are known
// for sure.
func (c *Home) owners() map[netip.Addr]discovery.Identifier {
	out := map[netip.Addr]discovery.Identifier{}
	for id, d := range c.shown {
		name, ok := discovery.ParseID(string(id))
		if !ok || !name.Strong() {
			continue
		}
		for _, i := range d.IDs {
			if addr, err := netip.ParseAddr(i.Value); err == nil && i.Kind == discovery.IPID {
				out[addr] = name
			}
		}
	}
	return out
}

func earliest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// Snapshot returns the home as it is shown now.
func (c *Home) Snapshot(now time.Time) *report.Snapshot {
	s := &report.Snapshot{Site: c.o.Site, Version: c.o.Version, At: now, Blind: c.blind(now), LastScan: c.lastScan, PausedUntil: c.dec.PausedUntil,
		Events: slices.Clone(c.events), Forgotten: slices.Clone(c.forgotten)}
	for id, d := range c.shown {
		d.Sent = c.sent[id]
		s.Devices = append(s.Devices, d)
	}
	slices.SortFunc(s.Devices, func(a, b report.Device) int { return cmp.Compare(a.ID, b.ID) })
	report.Titles(s.Devices)
	for _, h := range c.health {
		s.Health = append(s.Health, h)
	}
	slices.SortFunc(s.Health, func(a, b report.Component) int { return cmp.Compare(a.Name, b.Name) })
	return s
}
