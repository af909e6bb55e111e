package inventory

import "github.com/thingwarden/thingwarden/discovery"

// Traits are the ranks and roles of those who speak of devices, by name.
type Traits map[string]discovery.SourceKind

// TraitsOf returns the traits of sources.
func TraitsOf(kinds []discovery.SourceKind) Traits {
	t := Traits{derived: {Role: discovery.Opinion, Rank: discovery.RankRecognised}, agentName: {Role: discovery.Opinion}}
	for _, k := range kinds {
		t[k.Name] = k
	}
	return t
}

// Rank returns the rank of a source, or else that of a probe.
func (t Traits) Rank(by string) discovery.Rank {
	if k, ok := t[by]; ok {
		return k.Rank
	}
	return discovery.RankProduct
}

// Has reports whether a source has a role. Probes have none.
func (t Traits) Has(by string, r discovery.Role) bool { return t[by].Role.Has(r) }
