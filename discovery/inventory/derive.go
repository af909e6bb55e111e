package inventory

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// derived is the name under which derived words stand.
const derived = "derive"

// agentName is the name under which the agent's own words stand.
const agentName = "agent"

// DeriveDevices returns what follows for single devices from the evidence on all:
// observations by "derive" that differ from the evidence given; nothing, when all
// holds. It changes nothing.
func (inv *Inventory) DeriveDevices(evidence map[discovery.ID]*fact.Evidence, now time.Time) []discovery.Observation {
	return slices.Concat(inv.deriveConflicts(evidence, now), inv.deriveKeys(evidence, now), inv.deriveRouter(evidence, now))
}

// derivation is the work of deriving one sort of words.
type derivation struct {
	inv      *Inventory
	evidence map[discovery.ID]*fact.Evidence
	now      time.Time
	new      map[discovery.ID]*fact.Evidence
}

func (inv *Inventory) derivation(evidence map[discovery.ID]*fact.Evidence, now time.Time) *derivation {
	return &derivation{inv: inv, evidence: evidence, now: now, new: map[discovery.ID]*fact.Evidence{}}
}

// of returns the evidence in which to say something new of a device.
func (d *derivation) of(id discovery.ID) *fact.Evidence {
	if d.new[id] == nil {
		d.new[id] = fact.New(derived, d.now)
	}
	return d.new[id]
}

// changes returns the new evidence as far as it differs from the old.
func (d *derivation) changes() []discovery.Observation {
	var out []discovery.Observation
	for _, id := range slices.Sorted(maps.Keys(d.new)) {
		differs := slices.ContainsFunc(d.new[id].Entries(), func(n fact.Entry) bool {
			old, had := d.evidence[id].Entry(n.Name)
			return !had || old.Why != n.Why || old.Proof != n.Proof || !fact.EqualValue(old.Value, n.Value)
		})
		if differs {
			out = append(out, discovery.Observation{By: derived, At: d.now, About: d.inv.about(id), Facts: d.new[id], Quiet: true})
		}
	}
	return out
}

// about returns the identifier that leads to a device; none for the hub.
func (inv *Inventory) about(id discovery.ID) []discovery.Identifier {
	if id == discovery.Hub {
		return nil
	}
	d, _ := inv.Device(id)
	strong, weak := split(d.IDs)
	all := append(strong, weak...)
	if i := slices.IndexFunc(all, func(i discovery.Identifier) bool { return i.ID() == id }); i > 0 {
		return all[i : i+1]
	}
	return all[:1]
}

// follow returns a word from which another follows. Where it is unknown, so is the
// other, for the same reason, unless nobody ever spoke of either.
func follow[T, U fact.Value](d *derivation, id discovery.ID, e *fact.Evidence, from fact.Fact[T], to fact.Fact[U]) (v T, known bool) {
	if v, known = from.Get(e); known {
		return v, true
	}
	n, had := e.Entry(from.Name())
	if had || isDerived(e, to.Name()) {
		to.Unknown(d.of(id), cmp.Or(n.Why, fact.NotReported))
	}
	return v, false
}

func isDerived(e *fact.Evidence, word string) bool {
	n, ok := e.Entry(word)
	return ok && n.By == derived
}

// Derive returns what follows for the whole home from the evidence on all
// devices: an observation about the home by "derive". It is pure.
func Derive(evidence map[discovery.ID]*fact.Evidence, now time.Time) discovery.Observation {
	e := fact.New(derived, now)
	anyOf(e, fact.HomeJoinOpen, fact.ZigbeeJoinOpen, evidence)
	anyOf(e, fact.HomeInclusionOpen, fact.ZWaveInclusionOpen, evidence)
	anyOf(e, fact.HomeMatterOpen, fact.MatterWindowOpen, evidence)
	countDevices(e, evidence)
	return discovery.Observation{By: derived, At: now, Facts: e}
}

// anyOf sets a word of the home to whether any device has the word of a
// device. It is unknown when no device has the word (there is nothing of that
// sort in the home, or nobody said), and when one that is not known to be away
// may have it: that another network is closed says nothing of this one.
func anyOf(home *fact.Evidence, of, word fact.Fact[bool], evidence map[discovery.ID]*fact.Evidence) {
	seen, missing := false, fact.Why("")
	for _, id := range slices.Sorted(maps.Keys(evidence)) {
		e := evidence[id]
		n, had := e.Entry(word.Name())
		online, reported := fact.DeviceOnline.Get(e)
		switch open, known := word.Get(e); {
		case open:
			of.Set(home, true, n.Proof)
			return
		case known:
			seen = true
		case had && (online || !reported) && missing == "":
			missing = n.Why
		}
	}
	switch {
	case missing != "":
		of.Unknown(home, missing)
	case seen:
		of.Set(home, false, "")
	default:
		of.Unknown(home, fact.NotReported)
	}
}

// reports returns the data behind a word about a device, of all sources and probes that report it.
func reports[T any](inv *Inventory, id discovery.ID, word string, of func(*contribution) []T) (all []T) {
	r := inv.whole(id)
	if r == nil {
		return nil
	}
	for _, by := range inv.ranked(r) {
		if n, _ := r.by[by].facts.Entry(word); n.Known() {
			all = append(all, of(r.by[by])...)
		}
	}
	return all
}
