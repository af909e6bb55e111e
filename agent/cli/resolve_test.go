package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/policy"
)

func TestResolve(t *testing.T) {
	s := testHome(t)
	s.Devices[2].Name = "Porch lamp"
	report.Titles(s.Devices)
	tests := []struct {
		name, in, want string
		problem        string
	}{
		{name: "id", in: "mac_aabbccddee01", want: "mac_aabbccddee01"},
		{name: "id in capitals", in: "MAC_AABBCCDDEE01", want: "mac_aabbccddee01"},
		{name: "hub", in: "hub", want: "hub"},
		{name: "MAC", in: "AA-BB-CC-DD-EE-02", want: "mac_aabbccddee02"},
		{name: "IP", in: "192.168.1.20", want: "mac_aabbccddee01"},
		{name: "IEEE", in: "0x00158D0001A2B3C4", want: "zigbee_00158d0001a2b3c4"},
		{name: "whole name", in: "porch lamp", want: "mac_aabbccddee02"},
		{name: "part of a name", in: "goes on", want: "mac_aabbccddee01"},
		{name: "model", in: "evilcorp", want: "mac_aabbccddee03"},
		{name: "ambiguous", in: "porch", problem: "\"porch\" may be one of 2 devices; say which by its id:\n" +
			"  mac_aabbccddee01          \"Porch camera with a name that goes on and on and …\"\n" +
			"  mac_aabbccddee02          \"Porch lamp\""},
		{name: "no such IP", in: "192.168.1.99", problem: `no device with "192.168.1.99" is known`},
		{name: "no such name", in: "garage", problem: "no device is called \"garage\"; `thingwarden scan` lists all devices"},
		{name: "nothing", in: " ", problem: "no device is named"},
		{name: "hostile", in: "\x1b[2J", problem: "no device is called \"[2J\"; `thingwarden scan` lists all devices"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := resolve(s, tt.in)
			switch {
			case tt.problem != "" && (err == nil || err.Error() != tt.problem):
				t.Errorf("error %v, want %s", err, tt.problem)
			case tt.problem == "" && err != nil:
				t.Errorf("error %v, want device %s", err, tt.want)
			case tt.problem == "" && string(d.ID) != tt.want:
				t.Errorf("device %s, want %s", d.ID, tt.want)
			}
		})
	}
}

func TestAcceptUntil(t *testing.T) {
	tests := []struct {
		name, length, until string
		want                time.Time
		problem             string
	}{
		{name: "without end"},
		{name: "for days", length: "30d", want: noon.AddDate(0, 0, 30)},
		{name: "for days and hours", length: "1d12h", want: noon.Add(36 * time.Hour)},
		{name: "until the end of a day", until: "2026-12-31", want: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)},
		{name: "until tonight", until: "2026-03-01", want: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)},
		{name: "both", length: "1d", until: "2026-12-31", problem: "not both"},
		{name: "no unit", length: "30", problem: "--for: the duration \"30\" needs a unit"},
		{name: "zero", length: "0", problem: "--for: want more than 0"},
		{name: "past", until: "2026-02-28", problem: "--until: 2026-02-28 has passed"},
		{name: "no date", until: "tomorrow", problem: `--until: want a date such as 2026-12-31, have "tomorrow"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := acceptUntil(tt.length, tt.until, noon)
			if tt.problem != "" {
				if err == nil || !strings.Contains(err.Error(), tt.problem) {
					t.Errorf("error %v, want %q", err, tt.problem)
				}
				return
			}
			if err != nil || !got.Equal(tt.want) {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

// Only what is there can be accepted.
func TestAcceptable(t *testing.T) {
	s := testHome(t)
	camera := s.Device("mac_aabbccddee01")
	for _, tt := range []struct {
		name, policy string
		status       policy.Status
		want         string // part of the error
	}{
		{"open", "telnet-open", policy.Open, ""},
		{"not checked now", "telnet-open", policy.Stale, ""},
		{"accepted, for another date", "telnet-open", policy.Accepted, ""},
		{"fixed", "telnet-open", policy.Resolved, "was fixed 2 min ago"},
		{"long unknown", "telnet-open", policy.Lapsed, "could not be checked for a long time"},
		{"never found", "new-device", "", "has no finding new-device to accept"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			camera.Findings[0].Status = tt.status
			err := acceptable(camera, tt.policy, noon.Add(2*time.Minute))
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
