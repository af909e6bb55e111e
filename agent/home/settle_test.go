package home

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

// What has to last before it counts is not passed off as well: a scan is over
// before.
func TestWhatHasNotSettledIsNotWell(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	window := func(e *fact.Evidence) { fact.MatterWindowOpen.Set(e, true, "_matterc._udp CM=1") }
	settled := func() (missing []policy.Missing) {
		d := h.Snapshot(h.now).Device(cameraID)
		for _, n := range d.NotChecked {
			if n.Policy.ID == "matter-window-open" {
				missing = n.Missing
			}
		}
		return missing
	}
	h.see(1, window)
	want := []policy.Missing{{Word: "matter.window_open", Why: fact.NotSettled}}
	if d := cmp.Diff(want, settled()); d != "" {
		t.Errorf("open for a moment, not checked for want of (-want +got):\n%s", d)
	}
	checked := h.shown[cameraID].Checked
	h.wait(time.Hour)
	if d := cmp.Diff([]policy.Missing(nil), settled()); d != "" {
		t.Errorf("open for long (-want +got):\n%s", d)
	}
	if got := h.status(cameraID, "matter-window-open"); got != policy.Open || h.shown[cameraID].Checked != checked+1 {
		t.Errorf("open for long, the finding is %q, %d policies checked, want one more than %d", got, h.shown[cameraID].Checked, checked)
	}
}

// A scan does not wait: what is open while it looks is open.
func TestScanShowsWhatIsOpenNow(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	h.o.Watch = false
	h.Home = New(h.o, h.now)
	h.see(1, func(e *fact.Evidence) { fact.MatterWindowOpen.Set(e, true, "_matterc._udp CM=1") })
	if got := h.status(cameraID, "matter-window-open"); got != policy.Open {
		t.Errorf("the finding is %q, want open", got)
	}
}
