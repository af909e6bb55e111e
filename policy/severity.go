package policy

import (
	"fmt"
	"slices"
	"strings"
)

// severityNames are the spellings of the severities, by their value less one.
var severityNames = []string{"info", "low", "medium", "high", "critical"}

// String returns the severity as policies and messages spell it: info, low,
// medium, high or critical; empty for none.
func (s Severity) String() string {
	if s < Info || s > Critical {
		return ""
	}
	return severityNames[s-1]
}

// ParseSeverity is the inverse of String; the empty text is an error.
func ParseSeverity(text string) (Severity, error) {
	i := slices.Index(severityNames, text)
	if i < 0 {
		return 0, fmt.Errorf("unknown severity %q: want one of %s", text, strings.Join(severityNames, ", "))
	}
	return Severity(i + 1), nil
}

// MarshalText writes the severity's name, so that files stay readable and a
// severity can be a key.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a severity's name; the empty text is no severity.
func (s *Severity) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*s = 0
		return nil
	}
	*s, err = ParseSeverity(string(text))
	return err
}
