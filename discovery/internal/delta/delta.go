// Package delta keeps what a source has reported, so that it reports a thing only
// when something has changed, and retracts what no longer holds.
//
// It does not decide what a thing is, nor when one is gone: the source does.
package delta

import (
	"maps"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Reported is the content of an observation. The zero value means that nothing was
// reported.
type Reported struct {
	About    []discovery.Identifier
	Via      discovery.Identifier
	Name     string
	Services []discovery.Service
	Facts    []fact.Entry // sorted by name
	At       time.Time    // when it was reported; zero if it must be reported again
}

// Of returns the content of an observation that is reported at a time.
func Of(o discovery.Observation, at time.Time) Reported {
	t := Reported{About: o.About, Via: o.Via, Name: o.Name, Services: o.Services, At: at}
	if o.Facts != nil {
		t.Facts = o.Facts.Entries()
	}
	return t
}

// Same reports whether both have the same content, at whatever times.
func (t Reported) Same(old Reported) bool {
	return t.Name == old.Name && t.Via == old.Via && slices.Equal(t.About, old.About) && slices.Equal(t.Services, old.Services) &&
		slices.EqualFunc(t.Facts, old.Facts, func(a, b fact.Entry) bool {
			return a.Name == b.Name && a.Proof == b.Proof && a.Why == b.Why && a.Likely == b.Likely && fact.EqualValue(a.Value, b.Value)
		})
}

// Retract adds to an observation what was reported before and it leaves out: these
// facts become unknown, services an empty list. It reports whether there were any
// such facts.
func (t Reported) Retract(o *discovery.Observation) (any bool) {
	for _, n := range t.Facts {
		if _, still := o.Facts.Entry(n.Name); !still {
			o.Facts.MarkUnknown(n.Name, fact.NotReported)
			any = true
		}
	}
	if o.Services == nil && t.Services != nil {
		o.Services = []discovery.Service{}
	}
	return any
}

// Memory is what was reported of all the things of a source, by a key of its own.
// The zero value is ready to use. It is not safe for concurrent use.
type Memory struct{ last map[string]Reported }

// Changed stores the present observation of a thing, and returns whether it differs
// from the last one or must be reported again.
func (m *Memory) Changed(key string, o discovery.Observation, now time.Time) bool {
	next, old := Of(o, now), m.last[key]
	if !old.At.IsZero() && next.Same(old) {
		return false
	}
	m.put(key, next)
	return true
}

func (m *Memory) put(key string, t Reported) {
	if m.last == nil {
		m.last = map[string]Reported{}
	}
	m.last[key] = t
}

// Report passes an observation of a thing on if it has changed, together with what
// it retracts. An unchanged one that is a sign of life is passed on without its
// facts if the last report is presentEvery ago.
func (m *Memory) Report(key string, o discovery.Observation, presentEvery time.Duration, now time.Time, report func(discovery.Observation)) {
	old := m.last[key]
	switch {
	case m.Changed(key, o, now):
		old.Retract(&o)
		report(o)
	case !o.Quiet && now.Sub(old.At) >= presentEvery:
		old.At = now
		m.put(key, old)
		report(discovery.Observation{About: o.About})
	}
}

// Last returns what was last reported of a thing, and whether anything was.
func (m *Memory) Last(key string) (Reported, bool) {
	t, ok := m.last[key]
	return t, ok
}

// Keys returns the keys of all things, sorted.
func (m *Memory) Keys() []string { return slices.Sorted(maps.Keys(m.last)) }

// Forget forgets a thing.
func (m *Memory) Forget(key string) { delete(m.last, key) }

// Repeat makes the next Report of a thing pass it on, as if it had changed.
func (m *Memory) Repeat(key string) {
	if t, ok := m.last[key]; ok {
		t.At = time.Time{}
		m.last[key] = t
	}
}

// RepeatAll does so for all things.
func (m *Memory) RepeatAll() {
	for key := range m.last {
		m.Repeat(key)
	}
}
