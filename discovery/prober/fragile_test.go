package prober

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

func TestFragileDevicesAreLeftAlone(t *testing.T) {
	for _, tt := range []struct {
		name  string
		class string
		after time.Duration // from a pass to the silence
		clean bool          // a pass without harm between
		want  bool
	}{
		{"twice in a row", "plug", 30 * time.Second, false, true},
		{"class unknown", "", 59 * time.Second, false, true},
		{"too late to be ours", "plug", 61 * time.Second, false, false},
		{"not in a row", "plug", 30 * time.Second, true, false},
		{"sleeps by itself", "phone", 30 * time.Second, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(probeOn("a", 23))
				defer h.run(t)()
				d := device(10)
				online := func(on bool) {
					h.Update(d, evidence(func(e *fact.Evidence) {
						fact.DeviceOnline.Set(e, on, "")
						if tt.class != "" {
							fact.DeviceClass.Set(e, tt.class, "")
						}
					}))
				}
				fall := func() {
					time.Sleep(tt.after)
					online(false)
					time.Sleep(time.Minute)
					online(true)
					synctest.Wait()
				}
				online(true)
				synctest.Wait()
				fall()
				if got := h.Fragile(); got != nil {
					t.Fatalf("left alone after once: %v", got)
				}
				if tt.clean {
					h.Recheck(d.ID)
					synctest.Wait()
					time.Sleep(2 * time.Minute)
				}
				h.Recheck(d.ID)
				synctest.Wait()
				fall()
				if got := slices.Contains(h.Fragile(), d.ID); got != tt.want {
					t.Fatalf("left alone: %v, want %v", got, tt.want)
				}
				if !tt.want {
					return
				}
				h.take()
				h.Recheck(d.ID)
				time.Sleep(3 * time.Hour)
				if probed, _ := h.take(); probed != nil {
					t.Errorf("asked while left alone: %v", probed)
				}
				h.Clear(d.ID)
				if probed, _ := h.take(); len(probed) != 1 || h.Fragile() != nil {
					t.Errorf("after the owner's word asked %v, left alone %v", probed, h.Fragile())
				}
			})
		})
	}
}
