package agent

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

// The actions of a Command.
const (
	Trust    = "trust"
	Untrust  = "untrust"
	Accept   = "accept"
	Unaccept = "unaccept"
	Recheck  = "recheck"
)

// maxReason is the longest reason of an acceptance, in runes.
const maxReason = 200

// Command is a decision or wish of the owner.
type Command struct {
	Action string       // one of the actions above
	Device discovery.ID // Hub: for a recheck, the whole home
	Policy string       // of accept and unaccept
	Reason string       // of accept
	Until  time.Time    // of accept; zero: without end
}

// validate checks a command without looking at the home.
func (cmd Command) validate(set *policy.Set, now time.Time) error {
	switch cmd.Action {
	case Trust, Untrust, Recheck:
	case Accept, Unaccept:
		if set.Policy(cmd.Policy) == nil {
			return fmt.Errorf("there is no policy %q", cmd.Policy)
		}
		if cmd.Action == Accept && !cmd.Until.IsZero() && !cmd.Until.After(now) {
			return fmt.Errorf("the date until which to accept, %s, has passed", cmd.Until.Format(time.DateOnly))
		}
		if cmd.Until.UTC().Year() > 9999 { // RFC 3339, in which times stand in files, ends there
			return errors.New("the date until which to accept is too far away; leave it out to accept without an end")
		}
	default:
		return fmt.Errorf("unknown action %q: want trust, untrust, accept, unaccept or recheck", cmd.Action)
	}
	if cmd.Device == "" {
		return errors.New("no device is named")
	}
	return nil
}

// decide carries out a command. The caller saves the decisions before it
// acknowledges; a recheck is for the caller to pass on.
func (c *core) decide(cmd Command, now time.Time) error {
	if err := cmd.validate(c.set, now); err != nil {
		return err
	}
	if _, ok := c.inv.Device(cmd.Device); !ok {
		return fmt.Errorf("there is no device %q", cmd.Device)
	}
	if cmd.Device == discovery.Hub && (cmd.Action == Trust || cmd.Action == Untrust) {
		return errors.New("the hub is Thingwarden itself: there is nothing to trust")
	}
	var changes []policy.Change
	var err error
	switch cmd.Action {
	case Trust, Untrust:
		c.trust(cmd.Device, cmd.Action == Trust, now)
	case Accept:
		changes, err = c.ledger.Accept(string(cmd.Device), cmd.Policy, policy.Acceptance{
			Reason: fact.Clean(cmd.Reason, maxReason), At: now.UTC().Round(0), Until: cmd.Until.UTC(),
		})
	case Unaccept:
		changes, err = c.ledger.Unaccept(string(cmd.Device), cmd.Policy, now)
	}
	if err != nil {
		return err
	}
	for _, ch := range changes {
		c.event(string(ch.Type), cmd.Device, ch.Policy, now)
	}
	c.syncAcceptances(cmd.Device)
	c.dirty[cmd.Device] = true
	return nil
}

func (c *core) trust(id discovery.ID, yes bool, now time.Time) {
	k := c.dec.device(id, now)
	if k.Trusted == yes {
		return
	}
	k.Trusted, c.decDirty = yes, true
	if yes {
		delete(c.overflow, id)
		c.event(report.DeviceTrusted, id, "", now)
	}
}

// syncAcceptances copies the ledger's acceptances of a device to the decisions:
// the ledger ends them when they expire or the evidence gets worse.
func (c *core) syncAcceptances(id discovery.ID) {
	now := c.ledger.Acceptances()[string(id)]
	k := c.dec.Devices[id]
	if k == nil {
		if len(now) == 0 {
			return
		}
		k = c.dec.device(id, c.started)
	}
	if len(now) == 0 && len(k.Accepted) == 0 || reflect.DeepEqual(now, k.Accepted) {
		return
	}
	k.Accepted, c.decDirty = maps.Clone(now), true
}

func (c *core) restoreAcceptances() {
	all := map[string]map[string]policy.Acceptance{}
	for id, k := range c.dec.Devices {
		if len(k.Accepted) > 0 {
			all[string(id)] = maps.Clone(k.Accepted)
		}
	}
	c.ledger.RestoreAcceptances(all)
}

// stateVersion is the format of state.json that this version writes.
const stateVersion = 1

// state is what can be learned again: it spares the home questions, and the
// owner false news, after a restart.
type state struct {
	Version   int                     `json:"version"`
	SavedAt   time.Time               `json:"saved_at"`
	Seq       uint64                  `json:"seq"`
	Devices   []discovery.SavedDevice `json:"devices"`
	Ledger    policy.LedgerState      `json:"ledger"`
	Events    []report.Event          `json:"events"`
	Forgotten []discovery.ID          `json:"forgotten,omitempty"`
	Crowd     []discovery.ID          `json:"crowd,omitempty"` // devices that are only counted
	Fragile   []discovery.ID          `json:"fragile,omitempty"`
	LastScan  time.Time               `json:"last_scan,omitzero"`
	Publisher map[string][]byte       `json:"publisher,omitempty"` // what each publisher remembers
}

func (c *core) save(now time.Time) *state {
	return &state{
		Version: stateVersion, SavedAt: now.UTC().Round(0), Seq: c.seq, Devices: c.inv.Save(), Ledger: c.ledger.Snapshot(),
		Events: slices.Clone(c.events), Forgotten: slices.Clone(c.forgotten),
		Crowd: slices.Sorted(maps.Keys(c.overflow)), LastScan: c.lastScan.UTC().Round(0),
	}
}

func (c *core) restore(st *state) {
	c.seq, c.lastScan = st.Seq, st.LastScan
	c.inv.Restore(st.Devices)
	c.ledger.Restore(st.Ledger)
	c.events = slices.Clone(st.Events)
	c.forgotten = slices.Clone(st.Forgotten)
	for _, id := range st.Crowd {
		if _, ok := c.inv.Device(id); ok && !c.dec.decided(id) {
			c.crowd(id)
		}
	}
}
