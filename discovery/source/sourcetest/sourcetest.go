// Package sourcetest runs a source against a world in memory and writes down what
// it reports, for tests: single ones with a World, or scripts of steps in txtar
// files. Hosts and brokers of that world are in memory too, so that tests run in
// a bubble of testing/synctest.
//
// It is for tests only, and it knows nothing of any source.
package sourcetest

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// World is the environment of a source, and what the source did in it.
type World struct {
	// Env is what the source is made with; a test may change it before Run.
	Env discovery.Env

	mu    sync.Mutex
	out   strings.Builder
	log   strings.Builder
	all   []discovery.Observation
	dials int
}

// New returns a world without networks and without a broker.
func New() *World {
	w := &World{}
	w.Env = discovery.Env{
		Log:        slog.New(slog.NewTextHandler(logTo{w}, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:        time.Now,
		Networks:   func() discovery.Networks { return discovery.Networks{} },
		Owners:     func() map[netip.Addr]discovery.Identifier { return nil },
		Routed:     func([]netip.Prefix) {},
		Pause:      func() time.Duration { return 0 },
		Connection: func(ctx context.Context) error { return ctx.Err() },
		Sent: func(_ netip.Addr, _, connections int) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.dials += connections
		},
		Health: func(s discovery.Status, problem string) {
			w.Line(strings.TrimSpace(fmt.Sprintf("health %s %s", s, problem)))
		},
	}
	return w
}

type logTo struct{ w *World }

func (l logTo) Write(b []byte) (int, error) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	return l.w.log.Write(b)
}

// Run runs a source until the test ends. It must be called in a bubble.
func (w *World) Run(t testing.TB, s discovery.Source) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, w.report) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	synctest.Wait()
}

func (w *World) report(o discovery.Observation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, o)
	w.out.WriteString(Describe(o))
}

// Line writes down something that happened in the world.
func (w *World) Line(s string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out.WriteString(s + "\n")
}

// Take returns what was written down since the last call.
func (w *World) Take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.out.String()
	w.out.Reset()
	return s
}

// Logged returns everything that the source logged.
func (w *World) Logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

// Dials returns how many connections the source said it opened.
func (w *World) Dials() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dials
}

// Last returns the value of a word in the newest observation of the device with
// this identifier.
func Last[T fact.Value](w *World, id string, word fact.Fact[T]) (v T, known bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range slices.Backward(w.all) {
		if o.About[0].Value == id {
			return word.Get(o.Facts)
		}
	}
	return v, false
}

// Describe writes an observation for a person to read and compare.
func Describe(o discovery.Observation) string {
	var s strings.Builder
	for i, id := range o.About {
		if i > 0 {
			s.WriteString(", ")
		}
		fmt.Fprintf(&s, "%s %s", id.Kind, id.Value)
	}
	if o.Gone {
		s.WriteString(" gone\n")
		return s.String()
	}
	fmt.Fprintf(&s, " %q", o.Name)
	if o.Via.Value != "" {
		fmt.Fprintf(&s, " via %s", o.Via.Value)
	}
	if o.Quiet {
		s.WriteString(" quiet")
	}
	s.WriteString("\n")
	for _, x := range o.Services {
		fmt.Fprintf(&s, "  %s/%d %s\n", x.Proto, x.Port, x.Name)
	}
	if o.Services != nil && len(o.Services) == 0 {
		s.WriteString("  no service\n")
	}
	for _, e := range o.Facts.Entries() {
		switch v := e.Value.(type) {
		case nil:
			fmt.Fprintf(&s, "  %s unknown: %s\n", e.Name, e.Why)
		case time.Time:
			fmt.Fprintf(&s, "  %s = %s (%s)\n", e.Name, v.Format(time.RFC3339), e.Proof)
		default:
			fmt.Fprintf(&s, "  %s = %v (%s)\n", e.Name, v, e.Proof)
		}
	}
	return s.String()
}
