package agent

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/agent/home"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/agent/store"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

// reportsMany reports so many devices, one every so often, each with Telnet open.
type reportsMany struct {
	n     int
	every time.Duration
}

func (s reportsMany) Run(ctx context.Context, report func(discovery.Observation)) error {
	for i := range s.n {
		mac, _ := discovery.MAC(fmt.Sprintf("000c43%06x", i+1))
		e := fact.New("test", time.Now())
		fact.DeviceReachable.Set(e, true, "")
		fact.TelnetOpen.Set(e, true, "tcp/23: login:")
		report(discovery.Observation{About: []discovery.Identifier{mac}, Facts: e})
		time.Sleep(s.every)
	}
	<-ctx.Done()
	return nil
}

// saves runs an agent for a while and returns how often each file was written, not
// counting the last time, and the state as it was on the disk then.
func saves(t *testing.T, s discovery.Source, forTime time.Duration) (written map[string]int, st *home.State) {
	t.Helper()
	t.Setenv("container", "test") // no broker of our own
	dir := t.TempDir()
	cfg := config.Default()
	cfg.StateDir = dir
	cfg.LearningPeriod = 0
	written = map[string]int{}
	synctest.Test(t, func(t *testing.T) {
		a, err := New(Options{
			Config: cfg, Log: slog.New(slog.DiscardHandler), Networks: func() discovery.Networks { return discovery.Networks{} },
			Sources: []discovery.SourceKind{kindOf("test", s)},
		})
		if err != nil {
			t.Fatal(err)
		}
		loopCtx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- a.loop.run(loopCtx) }()
		srcCtx, stopSource := context.WithCancel(t.Context())
		srcEnded := make(chan struct{})
		go func() { defer close(srcEnded); a.source(srcCtx, a.kinds[0], a.kinds[0].Default()).Run(srcCtx) }()
		last := map[string]os.FileInfo{}
		for range forTime / (10 * time.Millisecond) {
			time.Sleep(10 * time.Millisecond)
			synctest.Wait()
			for _, name := range []string{store.DecisionsFile, store.StateFile} {
				info, err := os.Stat(filepath.Join(dir, name))
				if err == nil && (last[name] == nil || !info.ModTime().Equal(last[name].ModTime()) || !os.SameFile(info, last[name])) {
					written[name]++
					last[name] = info
				}
			}
		}
		st, _ = store.ReadState(dir)
		stopSource()
		<-srcEnded
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = a.close()
	})
	return written, st
}

func TestEventIsSavedBeforeItIsForgotten(t *testing.T) {
	_, st := saves(t, reportsMany{n: 1}, 3*time.Second)
	if st == nil {
		t.Fatal("nothing is saved seconds after the event: a crash would make it news again")
	}
	if !slices.ContainsFunc(st.Events, func(e report.Event) bool { return e.Type == string(policy.FindingOpened) }) {
		t.Errorf("saved events %+v", st.Events)
	}
	if st.Ledger[string(cameraID)]["telnet-open"].Status != policy.Open {
		t.Errorf("saved findings %+v", st.Ledger)
	}
}

func TestManyEventsDoNotWearTheDiskOut(t *testing.T) {
	written, _ := saves(t, reportsMany{n: 150, every: 2 * time.Second}, 5*time.Minute)
	if n := written[store.StateFile]; n < earlySaves || n > earlySaves+2*5+1 {
		t.Errorf("the state was saved %d times in five minutes full of events", n)
	}
}

func TestMadeUpDevicesDoNotWearTheDiskOut(t *testing.T) {
	written, _ := saves(t, reportsMany{n: 240, every: time.Second}, 4*time.Minute)
	if n := written[store.DecisionsFile]; n < 4 || n > earlySaves+4+1 {
		t.Errorf("the decisions were saved %d times in four minutes, though the owner decided nothing", n)
	}
}

func TestManyNewDevicesAreSavedTogether(t *testing.T) {
	written, _ := saves(t, reportsMany{n: 200, every: 15 * time.Millisecond}, 5*time.Second)
	if n := written[store.DecisionsFile]; n < 1 || n > 5 {
		t.Errorf("the known devices were saved %d times in three seconds, want at most once a second", n)
	}
}
