package prober

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

func TestChangedNeedMakesAProbeDue(t *testing.T) {
	at := func(location string) func(*fact.Evidence) {
		return func(e *fact.Evidence) {
			if location != "" {
				fact.IGDLocation.Set(e, location, "")
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		router := probeOn("router", 80)
		router.Needs = []string{fact.IGDLocation.Name()}
		router.Applies = func(_ discovery.Device, ev *fact.Evidence) bool {
			_, ok := fact.IGDLocation.Get(ev)
			return ok
		}
		h := newHouse(router)
		defer h.run(t)()
		for _, step := range []struct {
			name     string
			location string
			after    time.Duration
			want     []string
		}{
			{"told", "http://192.0.2.10:5000/a", 0, []string{"router mac_00005e00530a"}},
			{"told again", "http://192.0.2.10:5000/a", 2 * time.Minute, nil},
			{"another port", "http://192.0.2.10:5001/a", 0, []string{"router mac_00005e00530a"}},
			{"and another at once", "http://192.0.2.10:5002/a", 0, nil},
			{"has to wait a minute", "http://192.0.2.10:5002/a", time.Minute, []string{"router mac_00005e00530a"}},
			{"not told any more", "", 2 * time.Minute, nil},
			{"the same as before", "http://192.0.2.10:5002/a", 0, nil},
			{"not told again", "", 0, nil},
			{"another one", "http://192.0.2.10:5003/a", 0, []string{"router mac_00005e00530a"}},
		} {
			time.Sleep(step.after)
			h.Update(device(10), evidence(at(step.location)))
			_, got := h.take()
			if d := cmp.Diff(step.want, got); d != "" {
				t.Errorf("%s (-want +got):\n%s", step.name, d)
			}
		}
	})
}

func TestRestoredWordIsProbedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		update := probeOn("update", 80) // gives a word that does not age
		update.Gives = []string{fact.DeviceUpdate.Name()}
		h := newHouse(update, probeOn("telnet", 23))
		defer h.run(t)()
		before := evidence(func(e *fact.Evidence) {
			e.Put(fact.Entry{Name: fact.TelnetOpen.Name(), Value: false, By: "telnet", At: h.start})
			e.Put(fact.Entry{Name: fact.DeviceUpdate.Name(), Value: true, By: "update", At: h.start, Why: fact.Restored})
			e.Finish("telnet")
			e.Finish("update")
		})
		h.Update(device(10), before)
		_, got := h.take()
		if d := cmp.Diff([]string{"update mac_00005e00530a"}, got); d != "" {
			t.Errorf("asked after a restart (-want +got):\n%s", d)
		}
		if !before.Finished("update") {
			t.Error("the evidence of others was changed")
		}
	})
}
