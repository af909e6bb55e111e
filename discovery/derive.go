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
// device. It is unknown when no device has the word (there is nothing of that
// sort in the home, or nobody said), and when one that is not known to be away
// may have it: that another network is closed says nothing of this one.
func anyOf(home *fact.Evidence, of, word fact.Fact[bool], evidence map[ID]*fact.Evidence) {
	seen, missing := false, fact.Why("")
	for _, id := range slices.Sorted(maps.Keys(evidence)) {
		e := evidence[id]
		n, had := e.Entry(word.Name())
		online, told := fact.DeviceOnline.Get(e)
		switch open, known := word.Get(e); {
		case open:
			of.Set(home, true, n.Proof)
			return
		case known:
			seen = true
		case had && (online || !told) && missing == "":
			missing = n.Why
		}
	}
	switch {
	case missing != "":
		of.Unknown(home, missing)
	case seen:
		of.Set(home, false, "")
	default:
		of.Unknown(home, fact.NotTold)
	}
}
