package policy

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// TestPlainTexts holds what DESIGN asks of the texts of our own policies: a summary of
// at most 40 words, and at most four steps, numbered, of which the last is to check
// again. What Home Assistant loses in another network is said.
func TestPlainTexts(t *testing.T) {
	check := func(t *testing.T, summary, remedy string) {
		t.Helper()
		if n := len(strings.Fields(summary)); n > 40 {
			t.Errorf("the summary has %d words, more than 40", n)
		}
		steps := RemedySteps(remedy)
		if len(steps) < 2 || len(steps) > 4 {
			t.Errorf("%d steps, want 2 to 4", len(steps))
		}
		if remedy != numbered(steps) {
			t.Errorf("the steps are not numbered from 1, one a line:\n%s", remedy)
		}
		if want := `Press "Check now" to check again.`; steps[len(steps)-1] != want {
			t.Errorf("the last step is %q, want %q", steps[len(steps)-1], want)
		}
		if strings.Contains(remedy, "guest network") && !strings.Contains(remedy, "Home Assistant may") {
			t.Error("a guest network is advised without saying that Home Assistant may lose the device")
		}
	}
	private := regexp.MustCompile(`(?i)\b(opened a door|open doors|doors? (in|from|to) (the|your)|nobody can (say|tell)|somebody told)\b`)
	for _, p := range core(t).Policies() {
		t.Run(p.ID, func(t *testing.T) {
			check(t, p.Summary, p.Remedy)
			for i, c := range p.Severity {
				if c.Summary != "" || c.Remedy != "" {
					t.Run(fmt.Sprint("case ", i), func(t *testing.T) { check(t, c.Summary, c.Remedy) })
				}
			}
			if m := private.FindString(p.Title + " " + p.Summary + " " + p.Remedy); m != "" {
				t.Errorf("say it in plain English: %q", m)
			}
		})
	}
}
