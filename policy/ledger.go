package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Ledger follows verdicts over time and makes findings of them. What it does
// follows from its state, the verdicts and the time that it is given alone, so
// a ledger restored from a snapshot goes on as if nothing had happened and
// reports no change twice. It is not safe for concurrent use.
//
// A finding opens when its policy has failed for Policy.Settle. It stays while
// the policy fails, is stale while it can't be judged, and is resolved when it
// passes or is false in its `when`. A policy that is not applicable only because
// its `when` is unknown counts as one that can't be judged. A verdict that rests on
// a word marked fact.Restored leaves the finding as it is.
//
// A finding of severity Info is no change: for Changes it is not there. One that
// falls to Info is resolved for them, and one that rises from it opens.
//
// What the owner accepts stands in Acceptances, which the ledger reads and keeps in
// line with the findings; it holds none itself.
type Ledger struct {
	set      *Set
	records  map[string]map[string]Record
	accepted Acceptances
	atOnce   bool
}

// Acceptances is where the owner's decisions on findings stand, by device and policy.
type Acceptances interface {
	// Acceptance returns the one of a policy on a device, which is the caller's.
	Acceptance(device, policy string) (Acceptance, bool)
	// SetAcceptance adds or replaces one.
	SetAcceptance(device, policy string, a Acceptance)
	// EndAcceptance removes one, if it is there.
	EndAcceptance(device, policy string)
}

// Record is what the ledger keeps of one policy and one device.
type Record struct {
	Status   Status       `json:"status,omitempty"` // empty: not a finding yet
	Severity Severity     `json:"severity,omitempty"`
	Since    time.Time    `json:"since,omitzero"`
	Changed  time.Time    `json:"changed,omitzero"`
	Failing  time.Time    `json:"failing,omitzero"` // since when a fail waits to settle; zero if none does
	Proof    []fact.Entry `json:"proof,omitempty"`
	// Confidence and Texts are those of the last verdict that failed; files of
	// 0.1.0 have none.
	Confidence Confidence `json:"confidence,omitempty"`
	Texts      Texts      `json:"texts,omitzero"`
	Missing    []Missing  `json:"missing,omitempty"`
}

// NewLedger returns an empty ledger for the policies of s and what is accepted.
func NewLedger(s *Set, accepted Acceptances) *Ledger {
	return &Ledger{set: s, records: map[string]map[string]Record{}, accepted: accepted}
}

// SettleAtOnce makes a finding of what fails without waiting for Policy.Settle: a
// scan is over before, and reports what is open now.
func (l *Ledger) SettleAtOnce() { l.atOnce = true }

// Update takes the verdicts on a device at now. Away says that the device is not
// there at present: its findings then change only if a verdict says that they
// are over. It returns what changed, in the order of vs, and the earliest time at
// which a finding changes by itself; zero when none does.
//
// An acceptance that has ended is removed, and one that was stored before there was
// a finding takes over what it accepts.
func (l *Ledger) Update(device string, vs []Verdict, away bool, now time.Time) (changes []Change, again time.Time) {
	for _, v := range vs {
		id := v.Policy.ID
		before := l.records[device][id]
		s := step{Record: before, away: away, atOnce: l.atOnce, now: now}
		a, was := l.accepted.Acceptance(device, id)
		if was {
			s.accepted = &a
		}
		s.take(v)
		put(l.records, device, id, s.Record, s.Record.Status != "" || !s.Failing.IsZero())
		switch {
		case was && s.accepted == nil:
			l.accepted.EndAcceptance(device, id)
		case was && s.covers:
			l.accepted.SetAcceptance(device, id, a)
		}
		for _, e := range s.news(before) {
			changes = append(changes, Change{Type: e, Policy: id})
		}
		if !s.again.IsZero() && (again.IsZero() || s.again.Before(again)) {
			again = s.again
		}
	}
	return changes, again
}

// put stores or removes a value under two keys and leaves no empty maps.
func put[V any](m map[string]map[string]V, device, id string, v V, keep bool) {
	switch {
	case keep && m[device] == nil:
		m[device] = map[string]V{id: v}
	case keep:
		m[device][id] = v
	default:
		delete(m[device], id)
		if len(m[device]) == 0 {
			delete(m, device)
		}
	}
}

// Settling reports whether a policy fails on a device and has to go on failing
// before that is a finding.
func (l *Ledger) Settling(device, policy string) bool {
	return !l.records[device][l.set.Current(policy)].Failing.IsZero()
}

// Findings returns the findings of a device, worst first, then by policy id. The
// slice and what is in it are the caller's, but for the policies.
func (l *Ledger) Findings(device string) []Finding {
	var out []Finding
	for id, r := range l.records[device] {
		p := l.set.Policy(id)
		if p == nil || r.Status == "" {
			continue
		}
		r = r.clone()
		f := Finding{Policy: p, Status: r.Status, Severity: r.Severity, Since: r.Since, Changed: r.Changed, Proof: r.Proof, Missing: r.Missing}
		f.Seen = l.set.seen(p, r)
		if a, ok := l.accepted.Acceptance(device, id); ok {
			f.Acceptance = &a
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.Policy.ID, b.Policy.ID))
	})
	return out
}

// Cover fills in what an acceptance accepts, Severity and Items, from the finding
// that there is now, if any. It changes nothing.
func (l *Ledger) Cover(device, policy string, a Acceptance) (Acceptance, error) {
	switch {
	case l.set.Policy(policy) == nil:
		return a, l.unknown(policy)
	case a.At.IsZero():
		return a, errors.New("accepting a finding: it is not said when")
	case !a.Until.IsZero() && !a.Until.After(a.At):
		return a, fmt.Errorf("accepting a finding until %s: that is over", a.Until.Format(time.RFC3339))
	}
	policy = l.set.Current(policy)
	a.Severity, a.Items = 0, nil
	if r := l.records[device][policy]; r.acceptable() {
		a.cover(r.Severity, r.Proof)
	}
	return a, nil
}

// acceptable reports whether there is a finding to accept.
func (r Record) acceptable() bool {
	return slices.Contains([]Status{Open, Stale, Away, Lapsed, Accepted}, r.Status)
}

// Accept records that the owner lives with a policy's finding on a device from
// a.At on; Severity and Items of a are filled in from the finding. Where there is
// none now, the acceptance is kept and takes the finding when there is one. An
// acceptance that is there already is replaced.
func (l *Ledger) Accept(device, policy string, a Acceptance) ([]Change, error) {
	a, err := l.Cover(device, policy, a)
	if err != nil {
		return nil, err
	}
	policy = l.set.Current(policy)
	var changes []Change
	if r := l.records[device][policy]; r.acceptable() {
		if r.Status != Accepted {
			r.Changed = a.At
		}
		r.Status, r.Missing = Accepted, nil
		put(l.records, device, policy, r, true)
		if r.Severity > Info {
			changes = []Change{{FindingAccepted, policy}}
		}
	}
	l.accepted.SetAcceptance(device, policy, a)
	return changes, nil
}

// Unaccept takes an acceptance back. The finding is open again until the next
// Update says more.
func (l *Ledger) Unaccept(device, policy string, now time.Time) ([]Change, error) {
	if l.set.Policy(policy) == nil {
		return nil, l.unknown(policy)
	}
	policy = l.set.Current(policy)
	if _, ok := l.accepted.Acceptance(device, policy); !ok {
		return nil, fmt.Errorf("%q is not accepted on %q", policy, device)
	}
	l.accepted.EndAcceptance(device, policy)
	r := l.records[device][policy]
	if r.Status != Accepted {
		return nil, nil
	}
	r.Status, r.Changed = Open, now
	put(l.records, device, policy, r, true)
	if r.Severity == Info {
		return nil, nil
	}
	return []Change{{FindingExpired, policy}}, nil
}

func (l *Ledger) unknown(policy string) error {
	return fmt.Errorf("unknown policy %q%s", policy, didYouMean(policy, sortedKeys(l.set.byID)))
}

// Forget drops all that is known of a device.
func (l *Ledger) Forget(device string) { delete(l.records, device) }

// Rename moves everything of a device to a new id. Where both ids have a finding
// of a policy the new one's stays.
func (l *Ledger) Rename(old, id string) {
	if old == id {
		return
	}
	for p, r := range l.records[old] {
		if _, has := l.records[id][p]; !has {
			put(l.records, id, p, r, true)
		}
	}
	l.Forget(old)
}

// LedgerState is what a ledger knows, by device and policy, fit to be written as JSON. It has the records of policies that are
// not loaded at present too.
type LedgerState map[string]map[string]Record

// Snapshot returns the ledger's state; it is the caller's.
func (l *Ledger) Snapshot() LedgerState {
	out := make(LedgerState, len(l.records))
	for device, records := range l.records {
		out[device] = make(map[string]Record, len(records))
		for id, r := range records {
			out[device][id] = r.clone()
		}
	}
	return out
}

// Restore replaces the ledger's state. Records whose status
// this version does not know, and proofs by words it does not know, are dropped.
// Records under an id of version 0.1.0 become those of the policy of today.
func (l *Ledger) Restore(s LedgerState) {
	clear(l.records)
	for device, records := range s {
		for id, r := range records {
			r = r.clone()
			r.Proof = slices.DeleteFunc(r.Proof, func(n fact.Entry) bool { return !n.Known() || fact.Lookup(n.Name) == nil })
			if !r.valid() {
				continue
			}
			id = l.set.Current(id)
			if other, has := l.records[device][id]; has {
				r = r.join(other)
			}
			put(l.records, device, id, r, true)
		}
	}
}

func (r Record) valid() bool {
	switch r.Status {
	case Open, Stale, Lapsed, Accepted, Resolved, Away:
		return r.Severity >= Info && r.Severity <= Critical
	case "":
		return !r.Failing.IsZero()
	default:
		return false
	}
}

func (r Record) clone() Record {
	r.Proof, r.Missing = slices.Clone(r.Proof), slices.Clone(r.Missing)
	return r
}
