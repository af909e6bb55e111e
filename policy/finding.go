package policy

import (
	"cmp"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Status is where a finding is in its life.
type Status string

// The states of a finding.
const (
	Open     Status = "open"
	Stale    Status = "stale"       // failed before, unknown now; still shown as a problem for StaleFor
	Lapsed   Status = "unknown"     // unknown for longer than StaleFor: neither a problem nor well
	Accepted Status = "accepted"    // the owner lives with it until a date, or until it gets worse
	Resolved Status = "resolved"    // passes now; forgotten after ResolvedFor
	Away     Status = "device_away" // open when the device was last there
)

// How long a finding stays in a state before it changes by itself.
const (
	StaleFor    = 7 * 24 * time.Hour
	ResolvedFor = 30 * 24 * time.Hour
)

// Finding is a policy that a device fails, or failed. It is kept by value.
type Finding struct {
	Policy     *Policy
	Status     Status
	Severity   Severity
	Since      time.Time    // when it was opened, or opened again
	Changed    time.Time    // when Status last changed
	Proof      []fact.Entry // of the last verdict that failed
	Acceptance *Acceptance  // nil unless the owner accepted it
	Missing    []Missing    // while Stale or Lapsed
	Seen       Seen
}

// Seen is what a verdict says of a device beyond its policy. Each text is "" where
// the policy's own stands.
type Seen struct {
	Confidence Confidence // of the verdict; "" is the policy's
	Evidence   string     // as a sentence; "" leaves the proof to speak
	Summary    string     // of this case of the severity
	Remedy     string     // for this product
}

// Confidence says how sure the finding is.
func (f Finding) Confidence() Confidence { return cmp.Or(f.Seen.Confidence, f.Policy.Confidence) }

// Summary says what is wrong and what can happen.
func (f Finding) Summary() string { return cmp.Or(f.Seen.Summary, f.Policy.Summary) }

// Remedy is what to do, one step a line.
func (f Finding) Remedy() string { return cmp.Or(f.Seen.Remedy, f.Policy.Remedy) }

// Problem reports whether the finding counts as one now: open, stale or away.
func (f Finding) Problem() bool {
	return f.Status == Open || f.Status == Stale || f.Status == Away
}

// Actionable reports whether the finding is a problem that asks for something to be
// done, which one of severity Info does not.
func (f Finding) Actionable() bool { return f.Problem() && f.Severity > Info }

// Acceptance is the owner's decision to live with a finding.
type Acceptance struct {
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
	Until  time.Time `json:"until"` // zero: without end
	// Severity and Items are what was accepted: a higher severity, or a list
	// word with an item that is not among Items, is worse and ends the
	// acceptance.
	Severity Severity `json:"severity"`
	Items    []string `json:"items,omitempty"` // "word=item", sorted
}

// EventType names a change of a finding.
type EventType string

// The events of findings.
const (
	FindingOpened   EventType = "finding_opened"
	FindingWorsened EventType = "finding_worsened"
	FindingResolved EventType = "finding_resolved"
	FindingAccepted EventType = "finding_accepted"
	FindingExpired  EventType = "finding_expired"
)

// Change is an event of a finding that the ledger reports.
type Change struct {
	Type   EventType
	Policy string
}
