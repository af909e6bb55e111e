package report

import (
	"testing"

	"github.com/thingwarden/thingwarden/policy"
)

func TestScore(t *testing.T) {
	finding := func(s policy.Severity, status policy.Status) policy.Finding {
		return policy.Finding{Severity: s, Status: status}
	}
	for _, tt := range []struct {
		name string
		in   Device
		want int // -1: none
	}{
		{"nothing checked", Device{}, -1},
		{"all well", Device{Checked: 3}, 100},
		{"one high", Device{Checked: 3, Findings: []policy.Finding{finding(policy.High, policy.Open)}}, 80},
		{"all sorts", Device{Checked: 3, Findings: []policy.Finding{
			finding(policy.Critical, policy.Open), finding(policy.High, policy.Stale), finding(policy.Medium, policy.Away),
			finding(policy.Low, policy.Open), finding(policy.Info, policy.Open)}}, 30},
		{"never below nothing", Device{Checked: 1, Findings: []policy.Finding{
			finding(policy.Critical, policy.Open), finding(policy.Critical, policy.Open), finding(policy.Critical, policy.Open)}}, 0},
		{"accepted and resolved do not count", Device{Checked: 1, Findings: []policy.Finding{
			finding(policy.High, policy.Accepted), finding(policy.High, policy.Resolved), finding(policy.High, policy.Lapsed)}}, 100},
		{"found before, not looked at since", Device{Findings: []policy.Finding{finding(policy.High, policy.Away)}}, 80},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := -1
			if n := tt.in.Score(); n != nil {
				got = *n
			}
			if got != tt.want {
				t.Errorf("score %d, want %d", got, tt.want)
			}
		})
	}
}
