package home

import (
	"slices"
	"strings"
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

// result is the verdict on a device that is shown now.
func (h *testHome) result(id discovery.ID, policyID string) policy.Result {
	for _, v := range h.shown[id].Verdicts {
		if v.Policy.ID == policyID {
			return v.Result
		}
	}
	return policy.NotApplicable
}

// TestNothingStaysInTheFuture is about threat T24 of the catalogue: what was noted
// while the clock stood in 2099 must not hold until then.
func TestNothingStaysInTheFuture(t *testing.T) {
	h := newHome(t, 0)
	h.now = noon.AddDate(73, 0, 0)
	id := h.see(1, telnet(true))
	h.do(report.Command{Action: report.Accept, Device: id, Policy: "telnet-open"})
	h.do(report.Command{Action: report.Hide, Device: id})
	now := noon.Add(time.Hour)
	state, dec := h.State(h.now), h.Decisions()
	state.SavedAt = now
	state.NotAfter(now)
	dec.NotAfter(now)
	if b := string(mustJSON(t, state)) + string(mustJSON(t, dec)); strings.Contains(b, "2099-") {
		t.Errorf("times of 2099 are left:\n%s", b)
	}
	h.o.State, h.o.Decisions = state, dec
	h.Home = New(h.o, now)
	h.now = now
	h.wait(20 * 24 * time.Hour)
	d := h.Snapshot(h.now).Device(id)
	if d == nil || d.LastSeen.After(now) || h.result(id, "telnet-open") != policy.Unknown {
		t.Errorf("device seen %v, Telnet %v; want it seen when the clock was right, and its facts stale by now", d.LastSeen, h.result(id, "telnet-open"))
	}
}

// TestLearningIsSaved: a crash may cost some minutes of the learning period, but the
// state is not saved each minute for its sake.
func TestLearningIsSaved(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	saves := 0
	for range 60 {
		h.now = h.now.Add(time.Minute)
		if h.Apply(Tick{}, h.now).Learning {
			saves++
		}
	}
	if saves != 6 {
		t.Errorf("how long has been learned is saved %d times in an hour, want 6", saves)
	}
}
