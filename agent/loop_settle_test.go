package agent

import (
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
)

func TestLoopRestsWhenThereIsNothingToDo(t *testing.T) {
	for _, tt := range []struct {
		name    string
		store   *store
		writing bool
	}{
		{"a scan, which saves nothing", nil, false},
		{"while the disk takes its time", &store{}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t, 24*time.Hour)
			h.tick(h.now)
			h.changed, h.decDirty = false, false
			a := &Agent{store: tt.store, mail: newMailbox(), now: func() time.Time { return h.now.Add(2 * stateEvery) }}
			a.prober = discovery.NewProber(discovery.ProberOptions{Networks: h.o.networks, Now: a.now})
			l := newLoop(a, h.core)
			l.writing, l.touched, l.stateAt = tt.writing, true, h.now
			if wait := l.settle(); wait < time.Second {
				t.Errorf("the loop rests for %v", wait)
			}
		})
	}
}
