package policy

import (
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// step is one verdict's effect on one record.
type step struct {
	Record
	accepted *Acceptance // nil: none
	covers   bool        // accepted was filled in
	away     bool
	atOnce   bool // nothing need last
	restored bool // the verdict rests on what was told before a restart
	now      time.Time

	events []EventType
	again  time.Time
}

func (s *step) take(v Verdict) {
	if s.accepted != nil && s.accepted.over(s.now) {
		s.accepted = nil
	}
	switch {
	case v.restored():
		s.restored = true
		s.unknown(s.Missing)
	case v.Result == Fail:
		s.fail(v)
	case v.Result == Unknown, v.Result == NotApplicable && len(v.Missing) > 0:
		s.unknown(v.Missing)
	case v.Result == NotApplicable && s.away:
		// A device that is not there has no address: that mends nothing.
		s.unknown(nil)
	default:
		s.pass()
	}
	s.wait()
}

// fail takes a verdict of Fail.
func (s *step) fail(v Verdict) {
	switch s.Status {
	case "", Resolved, Lapsed:
		if s.Failing.IsZero() {
			s.Failing = s.now
		}
		if !s.atOnce && s.now.Before(s.Failing.Add(v.Policy.Settle)) {
			s.at(s.Failing.Add(v.Policy.Settle))
			return
		}
		s.Since, s.Failing = s.Failing, time.Time{}
		s.seen(v)
		if s.covered() {
			s.to(Accepted, FindingAccepted)
			return
		}
		s.to(s.present(), FindingOpened)
	case Accepted:
		s.seen(v)
		if !s.covered() {
			s.to(s.present(), FindingExpired)
		}
	default:
		worse, was := v.Severity > s.Severity, s.Severity
		s.seen(v)
		switch {
		case s.covered(): // accepted while this ledger was not looking
			s.to(Accepted, FindingAccepted)
		case worse && was == Info:
			s.to(s.present(), FindingOpened)
		case worse:
			s.to(s.present(), FindingWorsened)
		default:
			s.to(s.present())
		}
	}
}

// seen keeps what a failed verdict says.
func (s *step) seen(v Verdict) {
	s.Severity, s.Proof, s.Confidence, s.Texts = v.Severity, v.Proof, v.Confidence, v.Texts
}

// unknown takes a verdict that says nothing of the finding, for want of words.
func (s *step) unknown(missing []Missing) {
	s.Failing = time.Time{}
	switch s.Status {
	case Accepted:
		if s.accepted == nil {
			s.to(s.doubtful(), FindingExpired)
		}
	case Open, Stale, Away:
		if s.covered() {
			s.to(Accepted, FindingAccepted)
			break
		}
		if !s.restored { // which is neither news nor doubt
			s.to(s.doubtful())
		}
		if s.Status == Stale && !s.now.Before(s.Changed.Add(StaleFor)) {
			s.to(Lapsed)
		}
	}
	s.Missing = nil
	if s.Status == Stale || s.Status == Lapsed {
		s.Missing = missing
	}
}

// pass takes a verdict that the policy holds or does not apply.
func (s *step) pass() {
	s.Failing, s.Missing = time.Time{}, nil
	switch s.Status {
	case "", Resolved:
	default:
		s.to(Resolved, FindingResolved)
	}
}

// news are the events of what became of the record, of which severity Info has none.
func (s *step) news(before Record) []EventType {
	switch {
	case s.Severity != Info:
		return s.events
	case before.Severity > Info && before.Status != "" && before.Status != Resolved:
		return []EventType{FindingResolved}
	default:
		return nil
	}
}

// wait forgets what has been resolved for long and says when time alone will
// change the record.
func (s *step) wait() {
	switch s.Status {
	case Resolved:
		if end := s.Changed.Add(ResolvedFor); s.now.Before(end) {
			s.at(end)
		} else {
			s.Record = Record{Failing: s.Failing}
		}
	case Stale:
		s.at(s.Changed.Add(StaleFor))
	case Accepted:
		s.at(s.accepted.Until)
	}
}

// to changes the status and reports events.
func (s *step) to(status Status, events ...EventType) {
	if s.Status != status {
		s.Status, s.Changed = status, s.now
	}
	if status != Stale && status != Lapsed {
		s.Missing = nil
	}
	s.events = append(s.events, events...)
}

// present is the status of a finding that fails.
func (s *step) present() Status {
	if s.away {
		return Away
	}
	return Open
}

// doubtful is the status of a finding of which nothing is known now.
func (s *step) doubtful() Status {
	if s.away || s.restored {
		return s.present()
	}
	return Stale
}

// covered reports whether the finding as it is now is accepted; an acceptance
// that does not go so far ends.
func (s *step) covered() bool {
	if s.accepted == nil {
		return false
	}
	if s.accepted.Severity == 0 {
		s.accepted.cover(s.Severity, s.Proof)
		s.covers = true
	}
	if s.accepted.less(s.Severity, s.Proof) {
		s.accepted = nil
		return false
	}
	return true
}

func (s *step) at(t time.Time) {
	if !t.IsZero() && (s.again.IsZero() || t.Before(s.again)) {
		s.again = t
	}
}

// cover makes the acceptance one of a finding with this severity and proof.
func (a *Acceptance) cover(s Severity, proof []fact.Entry) {
	a.Severity, a.Items = s, items(proof)
}

// less reports whether a finding with this severity and proof is worse than
// what was accepted.
func (a *Acceptance) less(s Severity, proof []fact.Entry) bool {
	return s > a.Severity || slices.ContainsFunc(items(proof), func(item string) bool {
		return !slices.Contains(a.Items, item)
	})
}

func (a *Acceptance) over(now time.Time) bool {
	return !a.Until.IsZero() && !now.Before(a.Until)
}

// items are the items of the list words in a proof, as "word=item", sorted.
func items(proof []fact.Entry) []string {
	var out []string
	for _, n := range proof {
		list, _ := n.Value.([]string)
		for _, x := range list {
			out = append(out, item(n.Name, x))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
