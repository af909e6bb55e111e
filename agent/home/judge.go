package home

import (
	"cmp"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/inventory"
	"github.com/thingwarden/thingwarden/policy"
)

// judge brings verdicts and findings of all devices that changed up to date.
func (c *Home) judge(now time.Time) {
	if len(c.dirty) == 0 {
		return
	}
	for id := range c.dirty {
		if id != discovery.Hub {
			c.judgeDevice(id, now)
		}
	}
	for _, o := range c.inv.DeriveDevices(c.evidence, now) {
		for _, id := range c.inv.Observe(o).Changed {
			if id != discovery.Hub {
				c.judgeDevice(id, now)
			} else {
				c.dirty[id] = true
			}
		}
	}
	// Words of the home follow from those of the devices, so the hub comes last.
	out := c.inv.Observe(inventory.Derive(c.evidence, now))
	if c.dirty[discovery.Hub] || len(out.Changed) > 0 {
		c.judgeDevice(discovery.Hub, now)
	}
	clear(c.dirty)
}

func (c *Home) judgeDevice(id discovery.ID, now time.Time) {
	d, ok := c.inv.Device(id)
	if !ok {
		return
	}
	if k := c.dec.Devices[id]; k != nil && k.Name != "" {
		d.Name = k.Name
	}
	ev := c.inv.Evidence(id, now)
	c.recognise(d, ev, now)
	c.addOwn(d, ev)
	c.addPending(d, ev)
	c.evidence[id] = ev
	c.moved = c.moved || !slices.Equal(d.IDs, c.shown[id].IDs)
	if id != discovery.Hub {
		c.out.Judged = append(c.out.Judged, Judged{d, ev})
	}

	online, known := fact.DeviceOnline.Get(ev)
	away := known && !online
	// That it was there or away before the restart is shown, and is no news.
	entry, _ := ev.Entry(fact.DeviceOnline.Name())
	known = known && entry.Why != fact.Restored
	there := known && online || !known && c.heardSince(d)
	c.revive(id, now)
	verdicts, again := c.set.Evaluate(ev, now)
	changes, again2 := c.ledger.Update(string(id), verdicts, away, now)
	for _, ch := range changes {
		c.findingEvent(ch, id, now)
	}
	gone := c.follow(d, known && away, there, now)
	if next := earliest(again, again2, gone, c.identify(d, ev, now), c.randomDue(d, ev, now)); !next.IsZero() {
		c.again[id] = next
	} else {
		delete(c.again, id)
	}
	c.shown[id] = c.device(d, ev, verdicts, away, now)
	c.out.Snapshot = true
}

// revive brings back acceptances that ended while the clock was wrong.
func (c *Home) revive(id discovery.ID, now time.Time) {
	k := c.dec.Devices[id]
	if k == nil {
		return
	}
	for name, a := range k.Ended {
		if now.Before(a.Until) {
			k.accept(name, a)
			c.out.Decisions = true
		}
	}
}

// addOwn sets the words that the agent itself knows.
func (c *Home) addOwn(d discovery.Device, ev *fact.Evidence) {
	if d.ID == discovery.Hub {
		return
	}
	k := c.dec.Devices[d.ID]
	appeared, trusted, how := false, false, ""
	if k != nil {
		appeared, trusted = k.Appeared && c.o.Watch, k.Trusted
		c.addOwner(ev, k)
		fact.DeviceFirstSeen.Set(ev, k.FirstSeen, "first seen "+k.FirstSeen.Format(time.DateTime))
	}
	if appeared {
		how = c.firstSeen(d, k.FirstSeen)
	}
	fact.DeviceAppeared.Set(ev, appeared, how)
	fact.DeviceTrusted.Set(ev, trusted, "")
}

// firstSeen says when, where and by what a device was first seen, for its owner.
func (c *Home) firstSeen(d discovery.Device, at time.Time) string {
	text := "First seen on " + at.Local().Format("2 January 2006 at 15:04")
	if all := d.Addrs(); len(all) > 0 {
		text += ", at " + all[0].WithZone("").String()
	}
	for _, s := range c.o.Sources {
		if slices.Contains(d.Sources, s.Name) {
			return text + ", by " + cmp.Or(s.Title, s.Name) + "."
		}
	}
	return text + "."
}

// addOwner sets what the owner says of a device, in place of what was learned.
func (c *Home) addOwner(ev *fact.Evidence, k *Known) {
	const proof = "set by you"
	if k.Class != "" {
		fact.DeviceClass.Set(ev, k.Class, proof)
	}
	if k.Room != "" {
		fact.DeviceArea.Set(ev, k.Room, proof)
	}
	if k.ListenOnly {
		fact.DeviceListenOnly.Set(ev, true, proof)
	}
}

// addPending marks the words that a probe gives and has not given yet as
// unknown, so that a policy is "not checked" rather than not applicable.
func (c *Home) addPending(d discovery.Device, ev *fact.Evidence) {
	for _, n := range c.o.Pending(d, ev).Entries() {
		if _, had := ev.Entry(n.Name); !had {
			ev.MarkUnknown(n.Name, n.Why)
		}
	}
}

// heardSince reports whether a device of which nobody says whether it is there
// has been heard since it went away or, for all we know, was away.
func (c *Home) heardSince(d discovery.Device) bool {
	if from, ok := c.awayFrom[d.ID]; ok {
		return d.LastSeen.After(from)
	}
	return c.seen(d) && !d.LastSeen.Before(c.started)
}

// seen reports whether a source reports the device: the owner's configuration and
// the agent itself only have an opinion of it.
func (c *Home) seen(d discovery.Device) bool {
	return slices.ContainsFunc(d.Sources, func(by string) bool { return !c.traits.Has(by, discovery.Opinion) })
}

// follow notices that a device went away for long, and when it came back.
func (c *Home) follow(d discovery.Device, away, there bool, now time.Time) (due time.Time) {
	id := d.ID
	k := c.dec.Devices[id]
	if k == nil || id == discovery.Hub {
		return time.Time{}
	}
	if there {
		delete(c.awayFrom, id)
		if k.Gone {
			k.Gone, c.out.Decisions = false, true
			c.deviceEvent(report.DeviceReturned, id, now)
		}
	}
	if !away {
		return time.Time{}
	}
	from, ok := c.awayFrom[id]
	if !ok {
		from = earliest(now, d.LastSeen)
		c.awayFrom[id] = from
	}
	if k.Gone {
		return time.Time{}
	}
	if due = from.Add(goneAfter); now.Before(due) {
		return due
	}
	k.Gone, c.out.Decisions = true, true
	c.deviceEvent(report.DeviceGone, id, now)
	return time.Time{}
}

// identify makes it news what a new device is, once it has a name or product or has
// had time to show one, and returns when that is.
func (c *Home) identify(d discovery.Device, ev *fact.Evidence, now time.Time) (due time.Time) {
	arrived, waits := c.nameless[d.ID]
	if !waits {
		return time.Time{}
	}
	product, _ := fact.DeviceProduct.Get(ev)
	model, _ := fact.DeviceModel.Get(ev)
	if due = arrived.at.Add(identifyWithin); d.Name == "" && product == "" && model == "" && now.Before(due) {
		return due
	}
	delete(c.nameless, d.ID)
	c.arrivalEvent(report.DeviceIdentified, d.ID, arrived, now)
	return time.Time{}
}

// randomDue is when time alone makes a device with a random hardware address
// one to show; zero if it does not.
func (c *Home) randomDue(d discovery.Device, ev *fact.Evidence, now time.Time) time.Time {
	if due := d.FirstSeen.Add(randomShown); now.Before(due) && c.provisional(d, ev, now) && !c.provisional(d, ev, due) {
		return due
	}
	return time.Time{}
}

// provisional reports whether a device is not shown as one yet.
func (c *Home) provisional(d discovery.Device, ev *fact.Evidence, now time.Time) bool {
	if k := c.dec.Devices[d.ID]; k != nil && k.Trusted {
		return false
	}
	if c.overflow[d.ID] {
		return true
	}
	random, _ := fact.DeviceMACRandom.Get(ev)
	return random && c.o.Watch && now.Sub(d.FirstSeen) < randomShown
}

// device makes what is shown of a device.
func (c *Home) device(d discovery.Device, ev *fact.Evidence, verdicts []policy.Verdict, away bool, now time.Time) report.Device {
	out := report.Device{
		Device: d, Online: !away, Facts: ev.Entries(), Findings: c.ledger.Findings(string(d.ID)),
		Provisional: c.provisional(d, ev, now),
	}
	out.Kind, _ = fact.DeviceKind.Get(ev)
	if out.Kind == "" {
		out.Kind = "lan"
	}
	out.Class, _ = fact.DeviceClass.Get(ev)
	out.Manufacturer, _ = fact.DeviceManufacturer.Get(ev)
	out.Maker = c.maker(&out, ev)
	out.Model, _ = fact.DeviceModel.Get(ev)
	out.Firmware, _ = fact.DeviceFirmware.Get(ev)
	out.Hardware, _ = fact.DeviceHardware.Get(ev)
	out.Room, _ = fact.DeviceArea.Get(ev)
	out.Links = c.links(ev)
	by := c.inv.NamedBy(d.ID)
	out.Owned = by != "" && c.traits.Rank(by) == discovery.RankOwner
	if k := c.dec.Devices[d.ID]; k != nil {
		out.Owned = out.Owned || k.Name != ""
		out.Trusted, out.Muted, out.ListenOnly = k.Trusted, k.Muted, k.ListenOnly
		out.FirstSeen = k.FirstSeen
	}
	_, out.Hidden = c.dec.Hidden[d.ID]
	out.Parts = c.inv.Parts(d.ID)
	out.Verdicts = telling(verdicts)
	for _, v := range verdicts {
		switch {
		case c.ledger.Settling(string(d.ID), v.Policy.ID):
			out.NotChecked = append(out.NotChecked, settling(v))
		case v.Result == policy.Pass, v.Result == policy.Fail:
			out.Checked++
		case v.Result == policy.Unknown:
			out.NotChecked = append(out.NotChecked, report.NotChecked{Policy: v.Policy, Missing: v.Missing})
		}
		c.reportPolicy(v, d.ID)
	}
	return out
}

// telling returns the verdicts that say anything of a device, in a slice of that
// size: a home keeps thousands.
func telling(verdicts []policy.Verdict) []policy.Verdict {
	tells := func(v policy.Verdict) bool { return v.Result != policy.NotApplicable || len(v.Missing) > 0 }
	n := 0
	for _, v := range verdicts {
		if tells(v) {
			n++
		}
	}
	out := make([]policy.Verdict, 0, n)
	for _, v := range verdicts {
		if tells(v) {
			out = append(out, v)
		}
	}
	return out
}

// settling is a policy that fails for now: neither a finding yet, nor well.
func settling(v policy.Verdict) report.NotChecked {
	n := report.NotChecked{Policy: v.Policy}
	for _, e := range v.Proof {
		n.Missing = append(n.Missing, policy.Missing{Word: e.Name, Why: fact.NotSettled})
	}
	return n
}

// reportPolicy shows in health that a policy fails to be evaluated on some device, or
// that it is well again.
func (c *Home) reportPolicy(v policy.Verdict, id discovery.ID) {
	name, bad := "policy "+v.Policy.ID, c.failing[v.Policy.ID]
	switch {
	case v.Err != "":
		if bad == nil {
			bad = map[discovery.ID]bool{}
			c.failing[v.Policy.ID] = bad
		}
		bad[id] = true
		c.setHealth(name, discovery.Degraded, "The policy could not be evaluated: "+v.Err)
	case bad[id]:
		if delete(bad, id); len(bad) == 0 {
			c.setHealth(name, discovery.OK, "")
		}
	}
}

// forgetFailing forgets that policies fail on a device that is gone.
func (c *Home) forgetFailing(id discovery.ID) {
	for name, bad := range c.failing {
		if !bad[id] {
			continue
		}
		if delete(bad, id); len(bad) == 0 {
			c.setHealth("policy "+name, discovery.OK, "")
		}
	}
}
