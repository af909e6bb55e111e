package home

import (
	"maps"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/inventory"
	"github.com/thingwarden/thingwarden/policy"
)

// StateVersion is the format of state.json that this version writes.
const StateVersion = 1

// State is what can be learned again: it spares the home questions, and the
// owner false news, after a restart.
type State struct {
	Version   int                     `json:"version"`
	SavedAt   time.Time               `json:"saved_at"`
	Seq       uint64                  `json:"seq"`
	Devices   []inventory.SavedDevice `json:"devices"`
	Ledger    policy.LedgerState      `json:"ledger"`
	Events    []report.Event          `json:"events"`
	Forgotten []discovery.ID          `json:"forgotten,omitempty"`
	Crowd     []discovery.ID          `json:"crowd,omitempty"`    // devices that are only counted
	Private   gathering               `json:"private,omitzero"`   // new devices of which the evening's summary tells
	Withheld  []withheld              `json:"withheld,omitempty"` // events since the owner paused the news
	Fragile   []discovery.ID          `json:"fragile,omitempty"`
	LastScan  time.Time               `json:"last_scan,omitzero"`
	// LearnedFor is for how long devices have been learned, in seconds of running.
	LearnedFor int64             `json:"learned_for,omitempty"`
	Publisher  map[string][]byte `json:"publisher,omitempty"` // what each publisher remembers
}

// State returns what can be learned again.
func (c *Home) State(now time.Time) *State {
	return &State{
		Version: StateVersion, SavedAt: now.UTC().Round(0), Seq: c.seq, Devices: c.inv.Save(), Ledger: c.ledger.Snapshot(),
		Events: slices.Clone(c.events), Forgotten: slices.Clone(c.forgotten),
		Crowd: slices.Sorted(maps.Keys(c.overflow)), LastScan: c.lastScan.UTC().Round(0),
		Private:    gathering{Due: c.private.Due, IDs: slices.Clone(c.private.IDs)},
		LearnedFor: int64(c.learnedFor.Seconds()), Withheld: slices.Clone(c.withheld),
	}
}

// NotAfter takes times in the future for now, as Decisions.NotAfter does. Events of
// then are dropped: they were sent when they happened.
func (st *State) NotAfter(now time.Time) {
	if st == nil {
		return
	}
	st.LastScan = notAfter(st.LastScan, now)
	if due := nextEvening(now); st.Private.Due.After(due) {
		st.Private.Due = due
	}
	st.Events = slices.DeleteFunc(st.Events, func(e report.Event) bool { return e.At.After(now) })
	for i := range st.Devices {
		d := &st.Devices[i]
		d.First, d.Last = notAfter(d.First, now), notAfter(d.Last, now)
		for _, saved := range d.Reports {
			factsNotAfter(saved.Facts, now)
		}
	}
	for _, records := range st.Ledger {
		for id, r := range records {
			r.Since, r.Changed, r.Failing = notAfter(r.Since, now), notAfter(r.Changed, now), notAfter(r.Failing, now)
			factsNotAfter(r.Proof, now)
			records[id] = r
		}
	}
}

func factsNotAfter(facts []fact.Entry, now time.Time) {
	for i := range facts {
		facts[i].At = notAfter(facts[i].At, now)
	}
}

func (c *Home) restore(st *State) {
	c.seq, c.lastScan = st.Seq, st.LastScan
	c.learnedFor = time.Duration(st.LearnedFor) * time.Second
	c.inv.Restore(st.Devices)
	c.ledger.Restore(st.Ledger)
	c.events = slices.Clone(st.Events)
	c.forgotten = slices.Clone(st.Forgotten)
	c.private, c.withheld = st.Private, slices.Clone(st.Withheld)
	for _, d := range st.Devices {
		for by := range d.Reports {
			c.listsFrom[by] = time.Time{}
		}
	}
	for _, id := range st.Crowd {
		if _, ok := c.inv.Device(id); ok && !c.dec.decided(id) {
			c.overflow[id] = true
		}
	}
	c.reportCrowd()
}
