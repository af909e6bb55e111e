package agent

import (
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/agent/home"
	"github.com/thingwarden/thingwarden/agent/store"
)

func TestLoopRestsWhenThereIsNothingToDo(t *testing.T) {
	for _, tt := range []struct {
		name    string
		store   *store.Store
		writing bool
	}{
		{"a scan, which saves nothing", nil, false},
		{"while the disk takes its time", &store.Store{}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := quietAgent(t)
			l := a.loop
			l.apply(home.Tick{}, noon)
			a.store, a.mail, a.now = tt.store, newMailbox(), func() time.Time { return noon.Add(2 * stateEvery) }
			l.due, l.dirty, l.writing, l.touched, l.stateAt = false, false, tt.writing, true, noon
			if wait := l.settle(); wait < time.Second {
				t.Errorf("the loop rests for %v", wait)
			}
		})
	}
}
