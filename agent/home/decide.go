package home

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

// Decision is an Input that changes what the owner decided: Do or Import.
type Decision interface {
	Input
	// preview writes the decision into dec, or says why it is refused.
	preview(c *Home, dec *Decisions, now time.Time) error
}

// Preview returns the decisions as they are once all are carried out, and for each
// why it is refused. It changes nothing: what can't be saved must not be carried out.
func (c *Home) Preview(all []Decision, now time.Time) (*Decisions, []error) {
	dec := c.dec.clone()
	errs := make([]error, len(all))
	for i, d := range all {
		errs[i] = d.preview(c, dec, now)
	}
	return dec, errs
}

func (d Do) preview(c *Home, dec *Decisions, now time.Time) error {
	cmd := d.Command
	cmd.Policy = c.set.Current(cmd.Policy)
	if err := c.check(cmd, dec, now); err != nil {
		return err
	}
	return c.amend(dec, cmd, now)
}

// check refuses a command that makes no sense in this home.
func (c *Home) check(cmd report.Command, dec *Decisions, now time.Time) error {
	if err := cmd.Validate(now); err != nil {
		return err
	}
	if cmd.Policy != "" && c.set.Policy(cmd.Policy) == nil {
		return fmt.Errorf("there is no policy %q", cmd.Policy)
	}
	_, there := c.inv.Device(cmd.Device)
	if _, hidden := dec.Hidden[cmd.Device]; !there && !(hidden && cmd.Action == report.Unhide) {
		return fmt.Errorf("there is no device %q", cmd.Device)
	}
	if cmd.Action == report.Merge || cmd.Action == report.Split {
		if err := c.checkParts(cmd, dec); err != nil {
			return err
		}
	}
	return c.protect(cmd)
}

// protect refuses what must not be done to the hub or a gateway.
func (c *Home) protect(cmd report.Command) error {
	hub := cmd.Device == discovery.Hub
	gateway, _ := fact.WANGateway.Get(c.evidence[cmd.Device])
	switch cmd.Action {
	case report.Name, report.Class, report.Room, report.ListenOnly, report.Forget, report.Hide, report.Merge, report.Split:
		if hub {
			return fmt.Errorf("the hub is Thingwarden itself: the action %q is not for it", cmd.Action)
		}
	case report.Mute:
		if (hub || gateway) && cmd.Value != report.Off {
			return errors.New("the hub and the home's gateways can't be muted: what happens to them concerns every device")
		}
	}
	if cmd.Action == report.Class && cmd.Value != "" && !slices.Contains(fact.Lookup(fact.DeviceClass.Name()).Values, cmd.Value) {
		return fmt.Errorf("unknown class %q", fact.Clean(cmd.Value, 40))
	}
	return nil
}

// amend writes a command that was checked into dec, which may be a copy.
func (c *Home) amend(dec *Decisions, cmd report.Command, now time.Time) error {
	switch cmd.Action {
	case report.Trust, report.Untrust:
		for _, id := range c.named(cmd.Device) {
			dec.device(id, now).Trusted = cmd.Action == report.Trust
		}
		return nil
	case report.Recheck, report.Unhide: // to look at a device again means that it is wanted
		if cmd.Device == discovery.Hub && cmd.Action == report.Unhide {
			clear(dec.Hidden)
		}
		delete(dec.Hidden, cmd.Device)
		return nil
	case report.Pause:
		dec.PausedUntil = cmd.Until.UTC().Round(0)
		if cmd.Value == report.Off {
			dec.PausedUntil = now.UTC().Round(0)
		}
		return nil
	case report.Hide:
		dec.Hidden[cmd.Device] = now.UTC().Round(0)
		return nil
	case report.Forget:
		for _, part := range dec.parts(cmd.Device) {
			delete(dec.Devices, part)
		}
		delete(dec.Devices, cmd.Device)
		delete(dec.Hidden, cmd.Device)
		return nil
	case report.Merge:
		dec.join(discovery.ID(cmd.Value), cmd.Device, now)
		return nil
	case report.Split:
		for _, part := range dec.parts(cmd.Device) {
			if cmd.Value == "" || string(part) == cmd.Value {
				dec.Devices[part].PartOf = ""
			}
		}
		return nil
	}
	k := dec.device(cmd.Device, now)
	switch cmd.Action {
	case report.Accept:
		a, err := c.ledger.Cover(string(cmd.Device), cmd.Policy, acceptance(cmd, now))
		if err != nil {
			return err
		}
		k.accept(cmd.Policy, a)
	case report.Unaccept:
		if _, ok := k.Accepted[cmd.Policy]; !ok {
			return fmt.Errorf("%q is not accepted on %q", cmd.Policy, cmd.Device)
		}
		delete(k.Accepted, cmd.Policy)
	case report.Name:
		k.Name = cmd.Value
	case report.Class:
		k.Class = cmd.Value
	case report.Room:
		k.Room = cmd.Value
	case report.ListenOnly:
		k.ListenOnly = cmd.Value != report.Off
	case report.Mute:
		k.Muted = cmd.Value != report.Off
	}
	return nil
}

func acceptance(cmd report.Command, now time.Time) policy.Acceptance {
	return policy.Acceptance{Reason: fact.Clean(cmd.Reason, report.MaxReason), At: now.UTC().Round(0), Until: cmd.Until.UTC()}
}

// named are the devices that a decision is about: for the hub, all that are shown.
func (c *Home) named(id discovery.ID) (out []discovery.ID) {
	if id != discovery.Hub {
		return []discovery.ID{id}
	}
	for _, id := range c.inv.IDs() {
		if id != discovery.Hub && !c.overflow[id] {
			out = append(out, id)
		}
	}
	return out
}

// decide carries out a command. The caller has saved what Preview returned.
func (c *Home) decide(cmd report.Command, now time.Time) error {
	if err := c.check(cmd, c.dec, now); err != nil {
		return err
	}
	var changes []policy.Change
	var err error
	switch cmd.Action {
	case report.Accept:
		changes, err = c.ledger.Accept(string(cmd.Device), cmd.Policy, acceptance(cmd, now))
	case report.Unaccept:
		changes, err = c.ledger.Unaccept(string(cmd.Device), cmd.Policy, now)
	case report.Trust, report.Untrust:
		c.trust(cmd, now)
	case report.Recheck:
		c.recheck(cmd.Device)
		if _, hidden := c.dec.Hidden[cmd.Device]; !hidden {
			return nil
		}
		err = c.amend(c.dec, cmd, now)
	case report.Merge:
		err = c.amend(c.dec, cmd, now)
		c.join(now)
		c.out.Recheck = append(c.out.Recheck, cmd.Device)
	case report.Split:
		parts := c.dec.parts(cmd.Device)
		err = c.amend(c.dec, cmd, now)
		c.split(parts, now)
	case report.Forget:
		parts := c.dec.parts(cmd.Device)
		c.inv.Forget(cmd.Device)
		for _, part := range parts {
			c.inv.Split(part) // all of its records are gone
		}
		c.removed(cmd.Device, now)
		err = c.amend(c.dec, cmd, now)
	default:
		err = c.amend(c.dec, cmd, now)
	}
	if err != nil {
		return err
	}
	for _, ch := range changes {
		c.findingEvent(ch, cmd.Device, now)
	}
	c.out.Decisions = true
	c.dirty[cmd.Device] = true
	if cmd.Action == report.Unhide && cmd.Device == discovery.Hub {
		for _, id := range c.inv.IDs() {
			c.dirty[id] = true
		}
	}
	return nil
}

// recheck has a device probed again, or all of them for the hub.
func (c *Home) recheck(id discovery.ID) {
	if id != discovery.Hub {
		c.out.Recheck = append(c.out.Recheck, id)
		c.out.Cleared = append(c.out.Cleared, id) // the owner names it
		return
	}
	c.out.Recheck = append(c.out.Recheck, c.inv.IDs()...)
}

func (c *Home) trust(cmd report.Command, now time.Time) {
	yes, changed := cmd.Action == report.Trust, false
	for _, id := range c.named(cmd.Device) {
		k := c.dec.device(id, now)
		if k.Trusted != yes {
			k.Trusted, changed = yes, true
			delete(c.overflow, id)
			c.dirty[id] = true
		}
	}
	if yes && changed {
		c.deviceEvent(report.DeviceTrusted, cmd.Device, now)
	}
}

// accepted is what the owner accepts, as the ledger sees it.
type accepted struct{ c *Home }

func (a accepted) Acceptance(device, policyID string) (policy.Acceptance, bool) {
	k := a.c.dec.Devices[discovery.ID(device)]
	if k == nil {
		return policy.Acceptance{}, false
	}
	out, ok := k.Accepted[policyID]
	out.Items = slices.Clone(out.Items)
	return out, ok
}

func (a accepted) SetAcceptance(device, policyID string, x policy.Acceptance) {
	a.c.dec.device(discovery.ID(device), a.c.started).accept(policyID, x)
	a.c.out.Decisions = true
}

func (a accepted) EndAcceptance(device, policyID string) {
	k := a.c.dec.Devices[discovery.ID(device)]
	if x := k.Accepted[policyID]; !x.Until.IsZero() && !a.c.at.Before(x.Until) {
		k.end(policyID, x)
	}
	delete(k.Accepted, policyID)
	a.c.out.Decisions = true
}
