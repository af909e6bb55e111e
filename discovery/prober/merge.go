package prober

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// result is what a probe learned of a device at one of its addresses.
type result struct {
	addr     netip.Addr
	facts    *fact.Evidence
	services []discovery.Service
	mappings []discovery.PortMapping // nil: nothing said
	name     string
	via      discovery.Identifier
	disputed []discovery.AddressDispute // nil: nothing said
	quiet    bool                       // all that was said is
	gone     bool
	answered bool // the address has ever answered anything
}

// merge puts into out what a probe learned at several addresses of a device: bad
// news of one address counts for the device, good news only if all that have ever
// answered agree. Those that never did are named in the proof.
func merge(results []result, out *fact.Evidence) {
	answered := slices.DeleteFunc(slices.Clone(results), func(l result) bool { return !l.answered })
	if len(answered) == 0 {
		answered = results[:1]
	}
	note := ""
	if silent := slices.DeleteFunc(slices.Clone(results), func(l result) bool { return l.answered }); len(silent) > 0 && len(silent) < len(results) {
		var list []string
		for _, l := range silent {
			list = append(list, l.addr.WithZone("").String())
		}
		note = "; no answer at " + strings.Join(list, ", ")
	}
	seen := map[string]bool{}
	for _, l := range answered {
		for _, n := range l.facts.Entries() {
			if !seen[n.Name] {
				seen[n.Name] = true
				out.Put(mergeWord(n.Name, answered, note))
			}
		}
	}
}

func mergeWord(name string, results []result, note string) fact.Entry {
	var known []fact.Entry
	var unknown fact.Entry
	ignorant := false
	for _, l := range results {
		n, had := l.facts.Entry(name)
		switch {
		case had && n.Known():
			known = append(known, n)
		case had:
			if unknown.Name == "" || !ignorant && isIgnorance(n.Why) {
				unknown = n
			}
			ignorant = ignorant || isIgnorance(n.Why)
		}
	}
	if len(known) == 0 {
		return unknown
	}
	slices.SortStableFunc(known, func(a, b fact.Entry) int { return compareNews(b, a) })
	first := known[0]
	switch {
	case !first.BadNews() && ignorant:
		return unknown
	case !first.BadNews():
		first.Proof = fact.Clean(joinProofs(known)+note, fact.MaxText)
	}
	if list, ok := first.Value.([]string); ok {
		for _, n := range known[1:] {
			list = append(slices.Clone(list), n.Value.([]string)...)
		}
		slices.Sort(list)
		list = slices.Compact(list)
		first.Value = list[:min(len(list), fact.MaxItems)]
		first.Proof = joinProofs(known)
	}
	return first
}

// isIgnorance reports whether a word is unknown at an address because that could
// not be looked at; a service that is not there tells all there is to tell.
func isIgnorance(why fact.Why) bool {
	return why == fact.NoAnswer || why == fact.Unreadable || why == fact.NotProbed || why == fact.Limit
}

// compareNews orders bad news after good.
func compareNews(a, b fact.Entry) int {
	switch bad, worse := a.BadNews(), b.BadNews(); {
	case bad == worse:
		return 0
	case worse:
		return -1
	}
	return 1
}

func joinProofs(list []fact.Entry) string {
	var proofs []string
	for _, n := range list {
		if n.Proof != "" && !slices.Contains(proofs, n.Proof) {
			proofs = append(proofs, n.Proof)
		}
	}
	return fact.Clean(strings.Join(proofs, "; "), fact.MaxText)
}

// mergeServices returns the services at all addresses; nil, which leaves what was
// said before, if none were found and not all addresses tell.
func mergeServices(results []result) []discovery.Service {
	var out []discovery.Service
	missing := false
	for _, l := range results {
		missing = missing || l.services == nil && l.answered
		out = append(out, l.services...)
	}
	slices.SortFunc(out, discovery.CompareServices)
	if out = slices.Compact(out); len(out) > 0 || missing {
		return out
	}
	if slices.ContainsFunc(results, func(l result) bool { return l.services != nil }) {
		return []discovery.Service{}
	}
	return nil
}

// At returns the device at another of its addresses, for a probe that was told
// where to ask. All limits are shared with this Target. The error wraps
// ErrForbidden.
func (t *Target) At(a netip.Addr) (*Target, error) {
	if a == t.addr {
		return t, nil
	}
	if t.sibling == nil {
		return nil, fmt.Errorf("address %q: %w", a, ErrForbidden)
	}
	return t.sibling(a)
}
