package agent

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/agent/home"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/agent/store"
	"github.com/thingwarden/thingwarden/discovery"
)

const cameraID = discovery.ID("mac_000c43000001")

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// oneDevice is a source that tells of the camera and then waits.
type oneDevice struct{}

func (oneDevice) Run(ctx context.Context, report func(discovery.Observation)) error {
	mac, _ := discovery.MAC(strings.TrimPrefix(string(cameraID), "mac_"))
	report(discovery.Observation{About: []discovery.Identifier{mac}, Name: "Camera"})
	<-ctx.Done()
	return nil
}

// start runs an agent that sees no network until the test ends.
func start(t *testing.T, o Options) *Agent {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	o.Networks = func() discovery.Networks { return discovery.Networks{} }
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return a
}

// runAgent runs an agent that sees one device and no network, until the test ends.
func runAgent(t *testing.T, dir string, onSnapshot func(*report.Snapshot)) *Agent {
	t.Helper()
	t.Setenv("container", "test") // no broker of our own
	cfg := config.Default()
	cfg.StateDir = dir
	t.Cleanup(func() { goleak.VerifyNone(t) })
	a := start(t, Options{Config: cfg, OnSnapshot: onSnapshot, Sources: []discovery.SourceKind{kindOf("test", oneDevice{})}})
	for deadline := time.Now().Add(10 * time.Second); a.Snapshot().Device(cameraID) == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the device is not there")
		}
	}
	return a
}

func TestDecisionIsShownWhenItIsOnTheDisk(t *testing.T) {
	dir := t.TempDir()
	shown := make(chan string, 100) // what the file held when the switch turned
	turned := false
	a := runAgent(t, dir, func(s *report.Snapshot) {
		if d := s.Device(cameraID); d != nil && d.Trusted != turned {
			turned = d.Trusted
			b, err := os.ReadFile(filepath.Join(dir, store.DecisionsFile))
			if err != nil {
				b = []byte(err.Error())
			}
			shown <- string(b)
		}
	})
	for n, action := range []report.Action{report.Trust, report.Untrust, report.Trust, report.Untrust, report.Trust} {
		time.Sleep(snapshotEvery) // else the pace of snapshots hides it
		if err := a.Do(t.Context(), report.Command{Action: action, Device: cameraID}); err != nil {
			t.Fatal(err)
		}
		if file := <-shown; strings.Contains(file, `"trusted": true`) != (action == report.Trust) {
			t.Errorf("decision %d is shown before it is on the disk, which has %s", n, file)
		}
	}
}

func TestDecisionThatCannotBeSavedIsRefusedForGood(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	a := runAgent(t, dir, nil)
	if err := os.Rename(dir, dir+"-gone"); err != nil {
		t.Fatal(err)
	}
	err := a.Do(t.Context(), report.Command{Action: report.Name, Device: cameraID, Value: "Refused"})
	if err == nil || !strings.Contains(err.Error(), "saving decisions.json") {
		t.Errorf("error %v, want one that says that it was not saved", err)
	}
	problem := func() string {
		for _, h := range a.Snapshot().Health {
			if h.Name == "state" {
				return h.Error
			}
		}
		return ""
	}
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(problem(), "can't be saved"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("health of the state says %q", problem())
		}
	}
	if err := os.Rename(dir+"-gone", dir); err != nil {
		t.Fatal(err)
	}
	if err := a.Do(t.Context(), report.Command{Action: report.Trust, Device: cameraID}); err != nil {
		t.Errorf("with the folder back: %v", err)
	}
	for deadline := time.Now().Add(10 * time.Second); problem() != ""; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("health of the state still says %q", problem())
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, store.DecisionsFile))
	if err != nil || strings.Contains(string(b), "Refused") || a.Snapshot().Device(cameraID).Name != "Camera" {
		t.Errorf("what was refused was carried out: %q, %v, %s", a.Snapshot().Device(cameraID).Name, err, b)
	}
}

// A decision that was called off while it waited for the disk is not carried out
// when the disk takes it again.
func TestDecisionThatWasCalledOffIsNotCarriedOut(t *testing.T) {
	dir := t.TempDir()
	a := runAgent(t, dir, nil)
	held, release := make(chan struct{}), make(chan struct{})
	a.inputs <- input{then: func(home.Effects) {
		a.loop.writing = true // as while a file is being written to a slow disk
		close(held)
	}}
	<-held
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := a.Do(ctx, report.Command{Action: report.Name, Device: cameraID, Value: "Called off"})
	if err == nil || !strings.Contains(err.Error(), "not carried out") {
		t.Errorf("error %v, want one that says that it was not carried out", err)
	}
	a.inputs <- input{then: func(home.Effects) { a.loop.writing = false; close(release) }}
	<-release
	if err := a.Do(t.Context(), report.Command{Action: report.Trust, Device: cameraID}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, store.DecisionsFile))
	if err != nil || strings.Contains(string(b), "Called off") || a.Snapshot().Device(cameraID).Name != "Camera" {
		t.Errorf("what was called off was carried out: %v, %s", err, b)
	}
}

// lateSource reports a device at the very end, and then that it is down.
type lateSource struct {
	env discovery.Env
	end func()
}

func (s lateSource) Run(ctx context.Context, report func(discovery.Observation)) error {
	for n := range 3 { // faster than snapshots are made
		mac, _ := discovery.MAC(fmt.Sprintf("000c43%06x", n+1))
		report(discovery.Observation{About: []discovery.Identifier{mac}})
	}
	s.end()
	<-ctx.Done()
	s.env.Health(discovery.Down, "It ended.")
	return nil
}

func TestLastSnapshotHasAllAndNothingOfTheEnd(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	a, err := New(Options{
		Config: config.Default(), Mode: ModeScan, Log: slog.New(slog.DiscardHandler),
		Networks: func() discovery.Networks { return discovery.Networks{} },
		Sources: []discovery.SourceKind{{Name: "late", Default: func() discovery.SourceConfig {
			return newFunc(func(env discovery.Env) (discovery.Source, error) { return lateSource{env, end}, nil })
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Run(ctx); err != nil {
		t.Fatal(err)
	}
	s := a.Snapshot()
	if n := len(s.Devices); n != 4 {
		t.Errorf("%d devices, want the hub and three", n)
	}
	for _, h := range s.Health {
		if h.Name == "late" && h.Status != discovery.OK {
			t.Errorf("health %+v is that of the end", h)
		}
	}
}
