package report

import (
	"strings"
	"testing"
	"time"

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

func TestScoreOfTheHome(t *testing.T) {
	device := func(checked int, all ...policy.Severity) Device {
		d := Device{Checked: checked}
		for _, s := range all {
			d.Findings = append(d.Findings, policy.Finding{Severity: s, Status: policy.Open})
		}
		return d
	}
	accepted := Device{Checked: 1, Findings: []policy.Finding{{Severity: policy.Critical, Status: policy.Accepted}}}
	for _, tt := range []struct {
		name     string
		in       []Device
		want     float64 // -1: none
		accepted int
	}{
		{"nothing checked", []Device{{}, {}}, -1, 0},
		{"all well", []Device{device(3), {}}, 100, 0},
		{"accepted findings cost nothing and are counted", []Device{accepted, accepted}, 100, 2},
		{"one critical", []Device{device(1, policy.Critical), device(9)}, 71.4, 0},
		{"every fix counts", []Device{device(1, policy.Critical, policy.Critical, policy.High), device(9, policy.Critical)}, 41.7, 0},
		{"a low one too", []Device{device(1, policy.Critical, policy.Critical, policy.High, policy.Low), device(9, policy.Critical)}, 41.3, 0},
		{"information costs nothing", []Device{device(1, policy.Info)}, 100, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, got := &Snapshot{Devices: tt.in}, -1.0
			if n := s.Score(); n != nil {
				got = *n
			}
			if got != tt.want || s.Accepted() != tt.accepted {
				t.Errorf("score %v with %d accepted, want %v with %d", got, s.Accepted(), tt.want, tt.accepted)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name string
		in   Command
		want string // "" for fine
	}{
		{"name", Command{Action: Name, Device: "mac_1", Value: "Porch"}, ""},
		{"no name any more", Command{Action: Name, Device: "mac_1"}, ""},
		{"longest reason", Command{Action: Accept, Device: "mac_1", Policy: "p", Reason: strings.Repeat("ä", MaxReason)}, ""},
		{"reason too long", Command{Action: Accept, Device: "mac_1", Policy: "p", Reason: strings.Repeat("ä", MaxReason+1)}, "the reason is longer than 500 characters"},
		{"name too long", Command{Action: Room, Device: "mac_1", Value: strings.Repeat("x", MaxValue+1)}, "the value is longer than 60 characters"},
		{"name with an escape", Command{Action: Name, Device: "mac_1", Value: "a\x1b[31m"}, "the value has characters that can't be shown, or blanks at its ends"},
		{"unmute", Command{Action: Mute, Device: "mac_1", Value: Off}, ""},
		{"mute as what", Command{Action: Mute, Device: "mac_1", Value: "maybe"}, `the action "mute" does not take the value "maybe"`},
		{"value of trust", Command{Action: Trust, Device: "mac_1", Value: "x"}, `the action "trust" does not take the value "x"`},
		{"reason of trust", Command{Action: Trust, Device: "mac_1", Reason: "x"}, `the action "trust" takes no reason`},
		{"in the past", Command{Action: Accept, Device: "mac_1", Policy: "p", Until: now}, "the time given by until, 2026-11-23, has passed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := tt.in.Validate(now); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("error %q, want %q", got, tt.want)
			}
		})
	}
	for _, a := range Actions() {
		if _, ok := actions()[a]; !ok {
			t.Errorf("nobody says what %q takes", a)
		}
	}
	if len(Actions()) != len(actions()) {
		t.Error("an action is not listed")
	}
}
