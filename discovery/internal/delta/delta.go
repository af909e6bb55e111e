// Package delta keeps what a source has reported, so that it reports a thing only
// when something has changed, and takes back what is no longer so.
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

// Told is what an observation said. The zero value is that nothing was said.
type Told struct {
	About    []discovery.Identifier
	Via      discovery.Identifier
	Name     string
	Services []discovery.Service
	Words    []fact.Entry // sorted by name
	At       time.Time    // when it was reported; zero if it must be reported again
}

// Of returns what an observation says, at a time.
func Of(o discovery.Observation, at time.Time) Told {
	t := Told{About: o.About, Via: o.Via, Name: o.Name, Services: o.Services, At: at}
	if o.Facts != nil {
		t.Words = o.Facts.Entries()
	}
	return t
}

// Same reports whether both say the same, at whatever times.
func (t Told) Same(old Told) bool {
	return t.Name == old.Name && t.Via == old.Via && slices.Equal(t.About, old.About) && slices.Equal(t.Services, old.Services) &&
		slices.EqualFunc(t.Words, old.Words, func(a, b fact.Entry) bool {
			return a.Name == b.Name && a.Proof == b.Proof && a.Why == b.Why && a.Likely == b.Likely && fact.EqualValue(a.Value, b.Value)
		})
}

// TakeBack makes an observation take back what was said before and it does not
// say: words become unknown, services none. It reports whether there were any
// such words.
func (t Told) TakeBack(o *discovery.Observation) (any bool) {
	for _, n := range t.Words {
		if _, still := o.Facts.Entry(n.Name); !still {
			o.Facts.MarkUnknown(n.Name, fact.NotTold)
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
type Memory struct{ told map[string]Told }

// Changed notes what is now said of a thing, and reports whether it differs from
// what was said before or must be reported again.
func (m *Memory) Changed(key string, o discovery.Observation, now time.Time) bool {
	next, old := Of(o, now), m.told[key]
	if !old.At.IsZero() && next.Same(old) {
		return false
	}
	m.put(key, next)
	return true
}

func (m *Memory) put(key string, t Told) {
	if m.told == nil {
		m.told = map[string]Told{}
	}
	m.told[key] = t
}

// Report passes an observation of a thing on if it says something new, with what
// it takes back; and one that says nothing new, but is a sign of life, without
// its words if the last is presentEvery ago.
func (m *Memory) Report(key string, o discovery.Observation, presentEvery time.Duration, now time.Time, report func(discovery.Observation)) {
	old := m.told[key]
	switch {
	case m.Changed(key, o, now):
		old.TakeBack(&o)
		report(o)
	case !o.Quiet && now.Sub(old.At) >= presentEvery:
		old.At = now
		m.put(key, old)
		report(discovery.Observation{About: o.About})
	}
}

// Told returns what was last said of a thing, and whether anything was.
func (m *Memory) Told(key string) (Told, bool) {
	t, ok := m.told[key]
	return t, ok
}

// Keys returns the keys of all things, sorted.
func (m *Memory) Keys() []string { return slices.Sorted(maps.Keys(m.told)) }

// Forget forgets a thing.
func (m *Memory) Forget(key string) { delete(m.told, key) }

// Again has a thing be reported again, as if something had changed.
func (m *Memory) Again(key string) {
	if t, ok := m.told[key]; ok {
		t.At = time.Time{}
		m.told[key] = t
	}
}

// AllAgain has all be reported again.
func (m *Memory) AllAgain() {
	for key := range m.told {
		m.Again(key)
	}
}
