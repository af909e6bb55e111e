package fact

import (
	"cmp"
	"slices"
	"time"
)

// How long what was learned stays true. A value that a live source keeps true
// as long as it runs (a bridge's state, the neighbour table) has no MaxAge: the
// source reports its changes, and its entries become unknown (SourceDown) when
// the source is lost. What a probe learned ages: a device probed a month ago may
// have changed since.
const (
	always  = time.Duration(0)
	hours24 = 24 * time.Hour
	week    = 7 * hours24
	month   = 30 * hours24
	// lasting is the age of what was seen once and stays true: the source that
	// saw it may have been restarted since, and reports it no more.
	lasting = 10 * 365 * hours24
)

// vocabulary holds every word. The declarations of words in this package fill
// it while Go initialises the package, in order of dependency: word refers to
// it, so it is there before the first of them. It never changes afterwards.
var vocabulary = &words{byName: map[string]*Word{}}

type words struct {
	byName map[string]*Word
	sorted []*Word // by name
}

func (ws *words) add(w *Word) {
	at, _ := slices.BinarySearchFunc(ws.sorted, w, func(a, b *Word) int { return cmp.Compare(a.Name, b.Name) })
	ws.sorted = slices.Insert(ws.sorted, at, w)
	ws.byName[w.Name] = w
}

// word declares a word, one line each in the file of its subject: its name,
// after which time it is unknown again, what it means, and of a closed list the
// values it can have.
func word[T Value](name string, maxAge time.Duration, doc string, values ...string) Fact[T] {
	var zero T
	w := &Word{Name: name, Type: typeOf(any(zero)), MaxAge: maxAge, Doc: doc, Values: values}
	vocabulary.add(w)
	return Fact[T]{w}
}
