package fact

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"
)

// Evidence is what is known of one device: at most one entry a word, and the
// names of the sources and probes that have finished with it. The zero value is
// not usable: use New. It is not safe for concurrent use, but several goroutines
// may read it while none changes it.
//
// A home has thousands of entries, which are read by many and seldom change:
// clones, and what Entries returns, share them until the evidence changes.
type Evidence struct {
	by       string
	at       time.Time
	entries  []Entry     // sorted by name
	finished []string    // sorted
	shared   atomic.Bool // somebody else has the entries or names too
}

// New returns empty evidence. Entries set later carry by, the name of the
// source or probe, and at, the time at which it looked.
func New(by string, at time.Time) *Evidence { return &Evidence{by: by, at: at} }

func (e *Evidence) find(name string) (int, bool) {
	return slices.BinarySearchFunc(e.entries, name, func(n Entry, name string) int { return cmp.Compare(n.Name, name) })
}

// get returns the entry of a word as it stands, nil if there is none.
func (e *Evidence) get(name string) *Entry {
	if e == nil {
		return nil
	}
	i, ok := e.find(name)
	if !ok {
		return nil
	}
	return &e.entries[i]
}

// own makes sure that nobody else has what is about to change.
func (e *Evidence) own() {
	if e.shared.Load() {
		e.entries, e.finished = slices.Clone(e.entries), slices.Clone(e.finished)
		e.shared.Store(false)
	}
}

func (e *Evidence) put(n Entry) {
	n.By, n.At = e.by, e.at
	e.store(n)
}

func (e *Evidence) store(n Entry) {
	e.own()
	i, had := e.find(n.Name)
	if had {
		e.entries[i] = n
		return
	}
	if len(e.entries) == cap(e.entries) { // most never grow again: twice the room would be lost
		e.entries = append(make([]Entry, 0, len(e.entries)+max(3, len(e.entries)/4)), e.entries...)
	}
	e.entries = slices.Insert(e.entries, i, n)
}

// MarkUnknown records why the word of that name is unknown, unless it is known.
// A name outside the vocabulary is ignored. There is always a reason: without one
// the word becomes unknown as NotReported, and tests panic.
func (e *Evidence) MarkUnknown(name string, why Why) {
	w := Lookup(name)
	if w == nil {
		return
	}
	if n := e.get(w.Name); n != nil && n.Known() {
		return
	}
	if why == "" {
		misuse("%s is unknown without a reason", w.Name)
		why = NotReported
	}
	e.put(Entry{Name: w.Name, Why: why})
}

// Put stores an entry as it stands, replacing the word's entry. It is for
// code that merges or restores evidence; sources and probes use Fact.Set.
// Entries outside the vocabulary or of the wrong type are dropped and false is
// returned: a state file may come from another version.
func (e *Evidence) Put(n Entry) bool {
	w := Lookup(n.Name)
	if w == nil || (n.Known() && !w.Type.holds(n.Value)) {
		return false
	}
	n.Name = w.Name
	e.store(n)
	return true
}

// Remove forgets the word of that name.
func (e *Evidence) Remove(name string) {
	if i, ok := e.find(name); ok {
		e.own()
		e.entries = slices.Delete(e.entries, i, i+1)
	}
}

// Entry returns the entry of a word, and whether there is one, known or not. It
// takes the names of version 0.1.0 too.
func (e *Evidence) Entry(name string) (Entry, bool) {
	if now, ok := renamed[name]; ok {
		name = now
	}
	n := e.get(name)
	if n == nil {
		return Entry{}, false
	}
	return *n, true
}

// Entries returns all entries sorted by name. They are shared with others, so
// that they must not be changed.
func (e *Evidence) Entries() []Entry {
	if e == nil {
		return nil
	}
	e.shared.Store(true)
	return slices.Clip(e.entries)
}

// Len is the number of entries, known or not.
func (e *Evidence) Len() int {
	if e == nil {
		return 0
	}
	return len(e.entries)
}

// Finish records that the source or probe of that name has looked at the
// device as far as it can. Policies that ask whether a word is known at all
// wait for it ("after").
func (e *Evidence) Finish(by string) {
	if i, ok := slices.BinarySearch(e.finished, by); !ok {
		e.own()
		e.finished = slices.Insert(e.finished, i, by)
	}
}

// Unfinish takes Finish back.
func (e *Evidence) Unfinish(by string) {
	if i, ok := slices.BinarySearch(e.finished, by); ok {
		e.own()
		e.finished = slices.Delete(e.finished, i, i+1)
	}
}

// Finished reports whether the source or probe of that name has finished.
func (e *Evidence) Finished(by string) bool {
	if e == nil {
		return false
	}
	_, ok := slices.BinarySearch(e.finished, by)
	return ok
}

// FinishedBy returns the names given to Finish, sorted. They are shared with
// others, so that they must not be changed.
func (e *Evidence) FinishedBy() []string {
	if e == nil {
		return nil
	}
	e.shared.Store(true)
	return slices.Clip(e.finished)
}

// Clone returns a copy: what happens to one does not show in the other.
func (e *Evidence) Clone() *Evidence {
	if e == nil {
		return nil
	}
	e.shared.Store(true)
	c := &Evidence{by: e.by, at: e.at, entries: e.entries, finished: e.finished}
	c.shared.Store(true)
	return c
}

// Expire turns entries older than their word's MaxAge at now to unknown
// (Stale), and returns the earliest time at which another entry will expire;
// zero when none will.
func (e *Evidence) Expire(now time.Time) (next time.Time) {
	for i := range e.entries {
		n := &e.entries[i]
		w := Lookup(n.Name)
		if !n.Known() || w.MaxAge == 0 {
			continue
		}
		end := n.At.Add(w.MaxAge)
		if !now.Before(end) {
			e.own()
			e.entries[i].Value, e.entries[i].Why = nil, Stale
			continue
		}
		if next.IsZero() || end.Before(next) {
			next = end
		}
	}
	return next
}
