package hass

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

// TestTitlesAreSteady: a title follows what is learned for two minutes after the
// device is identified, then it changes at most once an hour, without a newer
// snapshot; the owner's comes and goes at once.
func TestTitlesAreSteady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(nil, Options{Site: "home", Now: time.Now})
		for _, step := range []struct {
			after             time.Duration
			title             string // "" for no newer snapshot
			identified, owned bool
			want              string
			due               time.Duration // when it is drawn anew by time alone
		}{
			{0, "Unknown device 11:22", false, false, "Unknown device 11:22", 0},
			{time.Second, "Acme", true, false, "Acme", 0},
			{5 * time.Second, "Acme camera", true, false, "Acme camera", 0},
			{2 * time.Minute, "cam-1", true, false, "Acme camera", 58 * time.Minute},
			{time.Minute, "Acme camera", true, false, "Acme camera", 0},
			{time.Second, "cam-1", true, false, "Acme camera", 57*time.Minute - time.Second},
			{30 * time.Minute, "Porch camera", true, false, "Acme camera", 27*time.Minute - time.Second},
			{27*time.Minute - time.Second, "", false, false, "Porch camera", 0},
			{time.Minute, "Acme camera", true, false, "Porch camera", 59 * time.Minute},
			{time.Minute, "Porch camera", true, false, "Porch camera", 0},
			{2 * time.Hour, "", false, false, "Porch camera", 0},
			{time.Second, "My camera", true, true, "My camera", 0},
			{time.Second, "Our camera", true, true, "Our camera", 0},
			{time.Second, "Porch camera", true, false, "Porch camera", 0},
			{time.Second, "cam-1", true, false, "Porch camera", time.Hour - time.Second},
		} {
			time.Sleep(step.after)
			if step.title != "" {
				p.take(&report.Snapshot{Site: "home", At: time.Now(), Devices: []report.Device{{
					Device: discovery.Device{ID: camera}, Kind: "lan", Online: true,
					Title: step.title, Identified: step.identified, Owned: step.owned}}})
			}
			p.next = time.Time{} // as a pass does
			all := p.draw()
			if got := all[len(all)-1].content.Device.Name; got != step.want {
				t.Errorf("after %v, %q: shown as %q, want %q", step.after, step.title, got, step.want)
			}
			due := time.Duration(0)
			if !p.next.IsZero() {
				due = time.Until(p.next)
			}
			if due != step.due {
				t.Errorf("after %v, %q: due in %v, want %v", step.after, step.title, due, step.due)
			}
		}
	})
}
