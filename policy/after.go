package policy

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// finished reports whether all that `after` waits for is there.
func (j *judgement) finished() bool {
	return !slices.ContainsFunc(j.rule.policy.After, func(name string) bool {
		if isWord(name) {
			return !settled(j.vars.ev, name)
		}
		return !j.vars.ev.Finished(name) // a source or probe, in policies written for 0.1.0
	})
}

// isWord tells words, of a subject and a name, from names of sources and probes.
func isWord(name string) bool { return strings.Contains(name, ".") }

// settled reports whether what gives the word has done so, or tried in vain: then
// it has set all its other words too.
func settled(ev *fact.Evidence, word string) bool {
	n, ok := ev.Entry(word)
	switch {
	case !ok:
		return false
	case n.Known():
		return true
	default:
		return !slices.Contains([]fact.Why{fact.NotProbed, fact.TouchLevel, fact.SourceDown, fact.PortInUse, fact.Limit}, n.Why)
	}
}

// checkAfter checks the words of `after`. Up to 0.1.0 it named sources and probes.
func (p *parser) checkAfter(after *yaml.Node) {
	for i, name := range p.rule.policy.After {
		switch {
		case !isWord(name):
			p.rule.warnings = append(p.rule.warnings, fmt.Sprintf(
				"%s:%d: after: %q is a source or probe; name one of the words it gives, such as http.open, telnet.open or zigbee.joined_uninvited",
				p.rule.policy.File, after.Line, name))
		case fact.Lookup(name) == nil:
			p.add(after.Content[i], fmt.Sprintf("after[%d]", i), "%s", unknownWord(name))
		}
	}
}
