// Package policy judges evidence. A policy is a YAML file with one
// type-checked expression over the vocabulary of package fact; evaluating it
// against the evidence on a device gives a verdict: pass, fail, unknown (not
// checked) or not applicable. The ledger follows verdicts over time and makes
// findings of them.
//
// The package is pure: no network, no clock (callers pass now), no logger. It
// is not its job to learn anything, nor to show or store anything.
package policy

import (
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Severity says what the owner should do and by when.
type Severity int

// The severities, mildest first. The zero value is none of them.
const (
	Info     Severity = iota + 1 // good to know; nothing need be done
	Low                          // when convenient
	Medium                       // this week
	High                         // today
	Critical                     // now: anyone on the Internet can get in, or somebody already has
)

// Confidence says how well the evidence shows what the policy says.
type Confidence string

// The grades of confidence.
const (
	Sure   Confidence = "sure"
	Likely Confidence = "likely"
)

// Result is the outcome of a policy for a device.
type Result string

// The results, in XCCDF's words.
const (
	Pass          Result = "pass"
	Fail          Result = "fail"
	Unknown       Result = "unknown" // not checked; never shown as OK
	NotApplicable Result = "notapplicable"
)

// Policy is one hardening rule, as loaded from its file.
type Policy struct {
	ID         string
	Title      string
	Severity   []Case // the first whose If holds; the last has no If
	Confidence Confidence
	Rules      []int // of the article; empty where it names none
	When       string
	Require    string
	After      []string // words that must have been looked for; or sources and probes that must have finished
	Settle     time.Duration
	Evidence   string // CEL: what was seen, as a sentence; "" for none
	Summary    string
	Remedy     string // steps, one a line, the last of which is to check again
	Refs       []string
	Examples   []Example
	Pack       string   // name of the pack
	File       string   // for messages
	Words      []string // that When, Require and Severity read, sorted; Evidence may read more
}

// Case is one line of a severity that depends on the evidence.
type Case struct {
	If   string // empty: always
	Then Severity
	// Summary and Remedy take the place of the policy's where the case holds; ""
	// leaves them.
	Summary, Remedy string
}

// Example is evidence with the result that the policy must give.
type Example struct {
	Facts      map[string]any // nil: looked for, and not learned
	Likely     []string       // the words of Facts that are only likely
	Known      []string       // names to be taken as finished ("after")
	Now        time.Time
	Want       Result
	Severity   Severity   // of a fail; 0 if not said
	Confidence Confidence // of a pass or fail; "" if not said
	Sentence   string     // the evidence of a fail; "" if not said
}

// Missing is a word that a verdict lacks, and why it is unknown.
type Missing struct {
	Word string   `json:"fact"`
	Why  fact.Why `json:"reason"`
}

// Verdict is the outcome of one policy for one device at one moment.
type Verdict struct {
	Policy   *Policy
	Result   Result
	Severity Severity // of a fail, else 0
	// Confidence is the policy's, or Likely when the result rests on a likely
	// entry; "" unless it is Pass or Fail.
	Confidence Confidence
	Texts      Texts        // of a fail
	Missing    []Missing    // of an unknown, sorted by word; also of a NotApplicable whose When lacks them
	Proof      []fact.Entry // the known words that the policy read, sorted by name
	Err        string       // of an expression that failed; shows in health
}

// Texts are what a failed verdict says of a device.
type Texts struct {
	// Evidence is what was seen, as a sentence; "" where the policy has none, or
	// lacks a word for it.
	Evidence string `json:"evidence,omitempty"`
	// Case is the index of the severity case that held, plus one; 0 is none.
	Case int `json:"case,omitempty"`
	// Product is the value of device.product, whose own steps are shown; "" if unknown.
	Product string `json:"product,omitempty"`
}

// restored reports whether the verdict rests on a word that nobody has confirmed
// since a restart.
func (v Verdict) restored() bool {
	return slices.ContainsFunc(v.Proof, func(n fact.Entry) bool { return n.Why == fact.Restored })
}
