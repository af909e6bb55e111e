package home

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

// parts are the devices that are shown as a part of another, sorted.
func (d *Decisions) parts(id discovery.ID) (out []discovery.ID) {
	for part, k := range d.Devices {
		if k.PartOf == id {
			out = append(out, part)
		}
	}
	slices.Sort(out)
	return out
}

// join makes a device, with all of its parts, a part of another.
func (d *Decisions) join(part, whole discovery.ID, now time.Time) {
	for _, p := range d.parts(part) {
		d.Devices[p].PartOf = whole
	}
	d.device(part, now).PartOf = whole
}

// flatten makes each part of a part one of the device as which both are shown, and
// a device that would be a part of itself one of its own.
func (d *Decisions) flatten() {
	for id, k := range d.Devices {
		seen := map[discovery.ID]bool{id: true}
		for !seen[k.PartOf] {
			next := d.Devices[k.PartOf]
			if k.PartOf == "" || next == nil || next.PartOf == "" {
				break
			}
			seen[k.PartOf] = true
			k.PartOf = next.PartOf
		}
		if seen[k.PartOf] {
			k.PartOf = ""
		}
	}
}

// checkParts refuses to merge or split what can't be.
func (c *Home) checkParts(cmd report.Command, dec *Decisions) error {
	other := discovery.ID(cmd.Value)
	if cmd.Action == report.Split {
		parts := dec.parts(cmd.Device)
		if len(parts) == 0 || other != "" && !slices.Contains(parts, other) {
			return fmt.Errorf("%q has no such part: nothing was merged with it", cmd.Device)
		}
		return nil
	}
	if k := dec.Devices[cmd.Device]; k != nil && k.PartOf != "" {
		return fmt.Errorf("%q is a part of %q itself", cmd.Device, k.PartOf)
	}
	if _, there := c.inv.Device(other); !there {
		return fmt.Errorf("there is no device %q", other)
	}
	if other == cmd.Device || other == discovery.Hub {
		return fmt.Errorf("%q can't be a part of %q", other, cmd.Device)
	}
	return nil
}

// join makes one device of those that are so by the decisions.
func (c *Home) join(now time.Time) {
	for _, part := range slices.Sorted(maps.Keys(c.dec.Devices)) {
		whole := c.dec.Devices[part].PartOf
		if whole == "" {
			continue
		}
		out := c.inv.Join(part, whole)
		if len(out.Changed) == 0 {
			continue
		}
		if _, had := c.shown[part]; had {
			s, t := c.sent[part], c.sent[whole]
			c.sent[whole] = report.Sent{Packets: s.Packets + t.Packets, Connections: s.Connections + t.Connections}
			delete(c.sent, part)
			c.ledger.Forget(string(part)) // acceptances hold when it is a device again
			c.drop(part)
			c.withdraw(part)
		}
		c.take(out, now)
	}
}

// split makes devices of their own of those that are no parts any more.
func (c *Home) split(parts []discovery.ID, now time.Time) {
	for _, part := range parts {
		if c.dec.Devices[part].PartOf != "" {
			continue
		}
		out := c.inv.Split(part)
		for _, id := range out.Changed {
			c.forgotten = slices.DeleteFunc(c.forgotten, func(f discovery.ID) bool { return f == id })
		}
		c.out.Recheck = append(c.out.Recheck, out.Changed...)
		c.take(out, now)
	}
}
