package discovery

import (
	"maps"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// derived is the name under which derived words stand.
const derived = "derive"

// Derive returns what follows for the whole home from the evidence on all
// devices: an observation about the home by "derive". It is pure.
func Derive(evidence map[ID]*fact.Evidence, now time.Time) Observation {
	e := fact.New(derived, now)
	anyOf(e, fact.HomeJoinOpen, fact.ZigbeeJoinOpen, evidence)
	anyOf(e, fact.HomeInclusionOpen, fact.ZWaveInclusionOpen, evidence)
	anyOf(e, fact.HomeMatterOpen, fact.MatterWindowOpen, evidence)
	return Observation{By: derived, At: now, Facts: e}
}

// anyOf sets a word of the home to whether any device has the word of a
// device. When no device has the word it stays unknown: there is nothing of
// that sort in the home, or nobody said.
func anyOf(home *fact.Evidence, of, word fact.Fact[bool], evidence map[ID]*fact.Evidence) {
	seen := false
	for _, id := range slices.Sorted(maps.Keys(evidence)) {
		e := evidence[id]
		open, ok := word.Get(e)
		if open {
			n, _ := e.Entry(word.Name())
			of.Set(home, true, n.Proof)
			return
		}
		seen = seen || ok
	}
	if seen {
		of.Set(home, false, "")
		return
	}
	of.Unknown(home, fact.NotTold)
}
