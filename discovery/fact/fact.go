// Package fact is the vocabulary in which Thingwarden speaks of a device:
// typed words, each with its meaning, and the evidence that gives them values.
//
// Sources and probes set words; policies and the recogniser of products read
// them. A word never names a product: "http.realm" and "zwave.security" are ideas
// that several products share, and no idea has two words. A word is one line in
// the file of its subject, such as zigbee.go.
//
// It is not this package's job to decide which of two sources is right (package
// discovery does), nor to say whether a value is good or bad (package policy
// does). It imports nothing of ours.
package fact

import (
	"slices"
	"time"
)

// Value is the set of Go types that a word may have.
type Value interface {
	bool | int64 | string | time.Time | []string
}

// A Fact is a word of the vocabulary with its Go type: the handle by which
// sources and probes set it. Facts are declared in this package only.
type Fact[T Value] struct{ word *Word }

// Name is the word as policies spell it, such as "telnet.open".
func (f Fact[T]) Name() string { return f.word.Name }

// Set records that the word has value v. Proof is the protocol evidence that
// shows it, such as "tcp/23: login:", never a sentence; it may hold bytes that
// a device sent and is cleaned and cut to MaxText runes here, as are strings in v.
// Of []string at most MaxItems are kept. It replaces whatever is there.
//
// A value outside the closed list of a word (Word.Values), or a time that RFC
// 3339 cannot write, is no value: the word becomes unknown (Unreadable). The first
// is a mistake of the caller, who has to map what a device says to the list, so
// that in tests it panics.
func (f Fact[T]) Set(e *Evidence, v T, proof string) { f.set(e, v, proof, false) }

// SetLikely records that there is a sign, but no proof, that the word has value
// v: a policy that reads it is not sure. Else it is as Set, but that it leaves a
// sure value as it is.
func (f Fact[T]) SetLikely(e *Evidence, v T, proof string) {
	if n := e.get(f.word.Name); n != nil && n.Known() && !n.Likely {
		return
	}
	f.set(e, v, proof, true)
}

func (f Fact[T]) set(e *Evidence, v T, proof string, likely bool) {
	if s, ok := any(v).(string); ok && !f.word.takes(s) {
		misuse("%s is set to %q, which is not in its list", f.word.Name, s)
		f.Unknown(e, Unreadable)
		return
	}
	if t, ok := any(v).(time.Time); ok && (t.UTC().Year() < 0 || t.UTC().Year() > 9999) {
		f.Unknown(e, Unreadable) // one such time would keep all that is known from being saved
		return
	}
	e.put(Entry{Name: f.word.Name, Value: clean(v), Proof: Clean(proof, MaxText), Likely: likely})
}

// Unknown records that the word was looked for and could not be learned, and
// why. It never replaces a known value in the same evidence.
func (f Fact[T]) Unknown(e *Evidence, why Why) {
	e.MarkUnknown(f.word.Name, why)
}

// Get returns the word's value. False means unknown, never "no".
func (f Fact[T]) Get(e *Evidence) (T, bool) {
	var zero T
	n := e.get(f.word.Name)
	if n == nil {
		return zero, false
	}
	v, ok := n.Value.(T)
	return v, ok
}

// Why says why a word is unknown.
type Why string

// The reasons for which a word can be unknown.
const (
	NotProbed   Why = "not-asked"    // nobody has looked yet
	TouchLevel  Why = "touch-level"  // looking would need a higher touch than the owner allows
	Refused     Why = "refused"      // the device answered that it will not tell
	NoAnswer    Why = "no-answer"    // the device did not answer
	Unreadable  Why = "unreadable"   // the answer could not be understood
	Conflict    Why = "conflict"     // two signs prove different things
	SourceDown  Why = "source-down"  // the source that knows is not reachable
	Stale       Why = "stale"        // what was known is too old to rely on
	NotReported Why = "not-told"     // the source is there and does not say
	PolicyErr   Why = "policy-error" // the policy's expression failed
	PortInUse   Why = "port-in-use"  // another program has the local port that is needed
	Limit       Why = "limit"        // a limit on how much is probed was reached
	NotSettled  Why = "not-settled"  // it is known, and must last before it counts
	// Restored stands beside a value: it was told before the last restart, and
	// nobody has confirmed it since. It is no news, and nothing to act on.
	Restored Why = "restored"
)

// Plain says the reason in words for the owner, to stand after "not checked:".
func (w Why) Plain() string {
	switch w {
	case NotProbed:
		return "not checked yet"
	case TouchLevel:
		return "your touch setting does not allow it"
	case Refused:
		return "the device wants a log-in before it shows this"
	case NoAnswer:
		return "the device did not answer"
	case Unreadable:
		return "the device gave an unexpected reply"
	case Conflict:
		return "the device shows signs of different products"
	case SourceDown:
		return "the source that would know is not available"
	case Stale:
		return "what was known is too old"
	case NotReported:
		return "not reported by the device or its hub"
	case PolicyErr:
		return "the check itself failed"
	case PortInUse:
		return "another program on the hub uses the port that this needs"
	case Limit:
		return "a limit on how much is probed was reached"
	case NotSettled:
		return "open now, which is a finding only if it stays so; keep watching (thingwarden run)"
	case Restored:
		return "not confirmed since the last restart"
	default:
		return Clean(string(w), 40)
	}
}

// Entry is one word's value in the evidence on one device.
type Entry struct {
	Name  string    // the word
	Value any       // bool, int64, string, time.Time or []string; nil when unknown
	Proof string    // protocol evidence; empty when unknown
	By    string    // the source or probe that says so
	At    time.Time // when it was learned
	Why   Why       // set when Value is nil; beside a value only Restored

	// Likely says that a sign points to the value and nothing proves it. A sure
	// entry comes before a likely one, whatever their ranks.
	Likely bool
}

// Known reports whether the entry holds a value.
func (n Entry) Known() bool { return n.Value != nil }

// EqualValue reports whether two entry values are the same.
func EqualValue(a, b any) bool {
	switch x := a.(type) {
	case []string:
		y, ok := b.([]string)
		return ok && slices.Equal(x, y)
	case time.Time:
		y, ok := b.(time.Time)
		return ok && x.Equal(y)
	default:
		return a == b
	}
}
