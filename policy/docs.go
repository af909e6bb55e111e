package policy

import (
	"fmt"
	"strconv"
	"strings"
)

// Docs returns a Markdown table of the policies of s, sorted by id.
func Docs(s *Set) string {
	var b strings.Builder
	b.WriteString("| id | title | severity | rules | reads | references |\n|---|---|---|---|---|---|\n")
	for _, p := range s.Policies() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", p.ID, cell(p.Title), severities(p), rules(p),
			"`"+strings.Join(p.Words, "` `")+"`", cell(strings.Join(p.Refs, ", ")))
	}
	return b.String()
}

// severities lists what a policy can give, in its order, and marks what is only
// likely.
func severities(p *Policy) string {
	var out []string
	for _, c := range p.Severity {
		if len(out) == 0 || out[len(out)-1] != c.Then.String() {
			out = append(out, c.Then.String())
		}
	}
	text := strings.Join(out, ", ")
	if p.Confidence == Likely {
		text += " (likely)"
	}
	return text
}

func rules(p *Policy) string {
	out := make([]string, len(p.Rules))
	for i, r := range p.Rules {
		out[i] = strconv.Itoa(r)
	}
	return strings.Join(out, ", ")
}

// cell makes text fit for a table's cell.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(s)
}
