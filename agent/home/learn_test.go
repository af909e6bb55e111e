package home

import (
	"slices"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/policy"
)

// TestLearningCountsRunningTime is about threat T24 of the catalogue.
func TestLearningCountsRunningTime(t *testing.T) {
	const day, year = 24 * time.Hour, 365 * 24 * time.Hour
	appeared := func(h *testHome) bool { return slices.Contains(h.eventTypes(), "device_appeared") }
	for _, tt := range []struct {
		name string
		run  func(h *testHome)
		want bool // that a new device is news
	}{
		{"just begun", func(h *testHome) { h.wait(time.Hour) }, false},
		{"over", func(h *testHome) { h.wait(day) }, true},
		{"over although the clock was set back", func(h *testHome) { h.wait(day); h.now = h.now.Add(-70 * year) }, true},
		{"begun by a clock of 2099", func(h *testHome) { h.wait(time.Hour); h.now = h.now.Add(-70 * year); h.wait(day) }, true},
		{"not over because the machine was off", func(h *testHome) { h.wait(time.Hour); h.now = h.now.Add(10 * day); h.restart() }, false},
		{"goes on after a restart", func(h *testHome) { h.wait(20 * time.Hour); h.restart(); h.wait(5 * time.Hour) }, true},
		{"over although the state was lost", func(h *testHome) {
			h.wait(day)
			h.o.Decisions, h.o.State = h.dec, nil
			h.Home = New(h.o, h.now)
		}, true},
		{"counted by 0.1.0", func(h *testHome) {
			h.o.Decisions = NewDecisions(h.now.Add(-2 * day))
			h.o.Decisions.Old = true
			h.Home = New(h.o, h.now)
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t, day)
			tt.run(h)
			h.see(1, nil)
			if got := appeared(h); got != tt.want {
				t.Errorf("a new device is news: %v, want %v", got, tt.want)
			}
		})
	}
}

// TestAcceptanceReturnsWhenTheClockIsRight is about threat T24 of the catalogue.
func TestAcceptanceReturnsWhenTheClockIsRight(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	h.see(1, telnet(true))
	h.do(report.Command{Action: report.Accept, Device: cameraID, Policy: "telnet-open", Until: noon.Add(30 * 24 * time.Hour)})
	h.now = noon.Add(70 * 365 * 24 * time.Hour)
	h.see(1, telnet(true))
	if got := h.status(cameraID, "telnet-open"); got != policy.Open {
		t.Fatalf("status %q after its date, want open", got)
	}
	h.restart()
	h.now = noon.Add(time.Hour)
	h.see(1, telnet(true))
	h.dirty[cameraID] = true
	h.tick(h.now)
	if got := h.status(cameraID, "telnet-open"); got != policy.Accepted {
		t.Errorf("status %q before its date, want accepted", got)
	}
	if k := h.dec.Devices[discovery.ID(cameraID)]; len(k.Ended) != 0 || len(k.Accepted) != 1 {
		t.Errorf("decisions %+v", k)
	}
}
