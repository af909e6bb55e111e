package policy

import (
	"slices"
	"strconv"
	"strings"
)

// seen is what a record says beyond its policy: the texts of the severity case that
// held, or else the steps of the product before the policy's last one.
func (s *Set) seen(p *Policy, r Record) Seen {
	out := Seen{Confidence: r.Confidence, Evidence: r.Texts.Evidence}
	if i := r.Texts.Case - 1; i >= 0 && i < len(p.Severity) {
		out.Summary, out.Remedy = p.Severity[i].Summary, p.Severity[i].Remedy
	}
	if own := s.steps[r.Texts.Product][p.ID]; len(own) > 0 && out.Remedy == "" {
		out.Remedy = numbered(append(slices.Clone(own), lastStep(p.Remedy)))
	}
	return out
}

// RemedySteps returns the steps of a remedy without their numbers.
func RemedySteps(remedy string) []string {
	var steps []string
	for line := range strings.Lines(remedy) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if n, rest, ok := strings.Cut(line, ". "); ok {
			if _, err := strconv.Atoi(n); err == nil {
				line = rest
			}
		}
		steps = append(steps, line)
	}
	return steps
}

func lastStep(remedy string) string {
	steps := RemedySteps(remedy)
	return steps[len(steps)-1]
}

func numbered(steps []string) string {
	var b strings.Builder
	for i, s := range steps {
		b.WriteString(strconv.Itoa(i+1) + ". " + s + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}
