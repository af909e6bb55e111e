package home

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

// decide carries out a command. The caller saves the decisions before it
// acknowledges.
func (c *Home) decide(cmd report.Command, now time.Time) error {
	if err := cmd.Validate(now); err != nil {
		return err
	}
	if cmd.Policy != "" && c.set.Policy(cmd.Policy) == nil {
		return fmt.Errorf("there is no policy %q", cmd.Policy)
	}
	if _, ok := c.inv.Device(cmd.Device); !ok {
		return fmt.Errorf("there is no device %q", cmd.Device)
	}
	if cmd.Device == discovery.Hub && (cmd.Action == report.Trust || cmd.Action == report.Untrust) {
		return errors.New("the hub is Thingwarden itself: there is nothing to trust")
	}
	var changes []policy.Change
	var err error
	switch cmd.Action {
	case report.Trust, report.Untrust:
		c.trust(cmd.Device, cmd.Action == report.Trust, now)
	case report.Accept:
		changes, err = c.ledger.Accept(string(cmd.Device), cmd.Policy, policy.Acceptance{
			Reason: fact.Clean(cmd.Reason, report.MaxReason), At: now.UTC().Round(0), Until: cmd.Until.UTC(),
		})
	case report.Recheck:
		c.recheck(cmd.Device)
		return nil
	case report.Unaccept:
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

// recheck has a device probed again, or all of them for the hub.
func (c *Home) recheck(id discovery.ID) {
	if id != discovery.Hub {
		c.out.Recheck = append(c.out.Recheck, id)
		c.out.Cleared = append(c.out.Cleared, id) // the owner names it
		return
	}
	c.out.Recheck = append(c.out.Recheck, c.inv.IDs()...)
}

func (c *Home) trust(id discovery.ID, yes bool, now time.Time) {
	k := c.dec.device(id, now)
	if k.Trusted == yes {
		return
	}
	k.Trusted, c.out.Decisions = yes, true
	if yes {
		delete(c.overflow, id)
		c.event(report.DeviceTrusted, id, "", now)
	}
}

// syncAcceptances copies the ledger's acceptances of a device to the decisions:
// the ledger ends them when they expire or the evidence gets worse.
func (c *Home) syncAcceptances(id discovery.ID) {
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
	k.Accepted, c.out.Decisions = maps.Clone(now), true
}

func (c *Home) restoreAcceptances() {
	all := map[string]map[string]policy.Acceptance{}
	for id, k := range c.dec.Devices {
		if len(k.Accepted) > 0 {
			all[string(id)] = maps.Clone(k.Accepted)
		}
	}
	c.ledger.RestoreAcceptances(all)
}

// StateVersion is the format of state.json that this version writes.
const StateVersion = 1

// State is what can be learned again: it spares the home questions, and the
// owner false news, after a restart.
type State struct {
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

// State returns what can be learned again.
func (c *Home) State(now time.Time) *State {
	return &State{
		Version: StateVersion, SavedAt: now.UTC().Round(0), Seq: c.seq, Devices: c.inv.Save(), Ledger: c.ledger.Snapshot(),
		Events: slices.Clone(c.events), Forgotten: slices.Clone(c.forgotten),
		Crowd: slices.Sorted(maps.Keys(c.overflow)), LastScan: c.lastScan.UTC().Round(0),
	}
}

func (c *Home) restore(st *State) {
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
