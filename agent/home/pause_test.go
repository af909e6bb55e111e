package home

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

// In a pause there are no events. At its end come those that lead from before to
// after, with one summary of the new devices; over a restart too.
func TestPause(t *testing.T) {
	for _, end := range []string{"by time", "by the owner", "after a restart", "by a command without an agent"} {
		t.Run(end, func(t *testing.T) {
			h := newHome(t, 0)
			fixed, opened, passing := h.see(1, telnet(true)), h.see(2, telnet(false)), h.see(3, telnet(false))
			h.wait(time.Minute)
			h.do(report.Command{Action: report.Pause, Device: discovery.Hub, Until: h.now.Add(4 * time.Hour)})
			last := h.seq
			since := func() (out []report.Event) {
				for _, e := range h.events {
					if e.Seq > last {
						out = append(out, e)
					}
				}
				return out
			}
			h.see(1, telnet(false))
			h.see(2, telnet(true))
			h.see(3, telnet(true))
			h.see(3, telnet(false))
			guest, mine := h.see(4, nil), h.see(5, nil)
			h.do(report.Command{Action: report.Trust, Device: mine})
			h.wait(time.Hour)
			if got := since(); len(got) > 0 {
				t.Fatalf("events in the pause: %v", got)
			}
			if s := h.Snapshot(h.now); s.PausedUntil.IsZero() || len(s.Device(opened).Findings) == 0 {
				t.Errorf("the snapshot is paused until %s and has findings %v", s.PausedUntil, s.Device(opened).Findings)
			}
			switch end {
			case "by the owner":
				h.do(report.Command{Action: report.Pause, Device: discovery.Hub, Value: report.Off})
			case "after a restart":
				h.restart()
				h.wait(3 * time.Hour)
			case "by a command without an agent":
				h.dec.PausedUntil = time.Time{}
				h.restart()
				h.wait(time.Second)
			default:
				h.wait(3 * time.Hour)
			}
			var got []string
			for _, e := range since() {
				if e.Policy == "new-device" { // as telnet-open
					continue
				}
				got = append(got, fmt.Sprintf("%s %s %d %v", e.Type, e.Device, e.Count, e.Devices))
			}
			want := []string{
				fmt.Sprintf("finding_resolved %s 0 []", fixed), fmt.Sprintf("finding_opened %s 0 []", opened),
				fmt.Sprintf("device_trusted %s 0 []", mine), fmt.Sprintf("device_summary hub 1 [%s]", guest),
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("after the pause, with %s coming and going (-want +got):\n%s", passing, diff)
			}
			if until := h.Snapshot(h.now).PausedUntil; !until.IsZero() {
				t.Errorf("still paused until %s", until)
			}
			last = h.seq
			h.see(2, telnet(false))
			if after := since(); len(after) == 0 || after[0].Type != "finding_resolved" || after[0].Device != opened {
				t.Errorf("events after the pause: %v", after)
			}
		})
	}
}

// Of what was withheld, that is no news at the end of which the owner has decided
// meanwhile, and a device of which it was news that it appeared is not counted again.
func TestNoNewsAfterPause(t *testing.T) {
	h := newHome(t, 0)
	named := h.see(1, nil)
	muted, forgotten, part := h.see(2, telnet(false)), h.see(3, telnet(false)), h.see(4, telnet(false))
	h.wait(time.Second)
	h.do(report.Command{Action: report.Pause, Device: discovery.Hub, Until: h.now.Add(time.Hour)})
	last := h.seq
	for i := 2; i <= 4; i++ {
		h.see(i, telnet(true))
	}
	h.wait(time.Minute)
	h.do(report.Command{Action: report.Mute, Device: muted})
	h.do(report.Command{Action: report.Forget, Device: forgotten})
	h.do(report.Command{Action: report.Merge, Device: named, Value: string(part)})
	h.wait(time.Hour)
	for _, e := range h.events {
		if e.Seq > last && (e.Device == muted || e.Device == forgotten || e.Device == part || e.Count > 0) {
			t.Errorf("news: %s of %s, count %d %v", e.Type, e.Device, e.Count, e.Devices)
		}
	}
}

func TestPauseRefused(t *testing.T) {
	h := newHome(t, 0)
	id := h.see(1, nil)
	for name, cmd := range map[string]report.Command{
		"of one device": {Action: report.Pause, Device: id, Until: noon.Add(time.Hour)},
		"without end":   {Action: report.Pause, Device: discovery.Hub},
		"too long":      {Action: report.Pause, Device: discovery.Hub, Until: noon.Add(8 * 24 * time.Hour)},
		"in the past":   {Action: report.Pause, Device: discovery.Hub, Until: noon.Add(-time.Hour)},
		"off and until": {Action: report.Pause, Device: discovery.Hub, Until: noon.Add(time.Hour), Value: report.Off},
	} {
		if err := h.decide(cmd, noon); err == nil {
			t.Errorf("%s: is taken", name)
		}
	}
}
