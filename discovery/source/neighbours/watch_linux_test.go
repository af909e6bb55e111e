package neighbours

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/lab"
	"github.com/thingwarden/thingwarden/discovery/network"
)

// watcher runs the source on the hub of a lab and keeps what it says.
type watcher struct {
	t      *testing.T
	source *source
	deaf   bool // run it without NET_RAW
	start  time.Time
	stop   func()

	mu       sync.Mutex
	reports  []discovery.Observation
	health   discovery.Status
	problem  string
	sent     map[netip.Addr]int
	sentAt   []time.Time
	networks []netip.Prefix
	log      logbook
}

// logbook keeps what is logged.
type logbook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logbook) has(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), s)
}

// share is how many datagrams the source may send in a second; less than the
// addresses of a /24, so that it has to wait.
const share = 200

// watch starts the source; change may alter it before.
func watch(t *testing.T, change func(*watcher)) *watcher {
	t.Helper()
	w := &watcher{t: t, sent: map[netip.Addr]int{}, networks: []netip.Prefix{netip.MustParsePrefix("10.99.0.0/24")}}
	env := discovery.Env{
		Log: slog.New(slog.NewTextHandler(io.MultiWriter(t.Output(), &w.log), nil)),
		Now: time.Now,
		Networks: func() discovery.Networks {
			n, err := network.Look(w.networks)
			if err != nil {
				t.Error(err)
			}
			return n
		},
		Health: func(s discovery.Status, problem string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.health, w.problem = s, problem
		},
		Pause: func() time.Duration {
			w.mu.Lock()
			defer w.mu.Unlock()
			if n := len(w.sentAt); n >= share {
				return max(time.Until(w.sentAt[n-share].Add(time.Second)), 0)
			}
			return 0
		},
		Sent: func(to netip.Addr, packets, connections int) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.sent[to] += packets
			w.sentAt = append(w.sentAt, time.Now())
			if n := len(w.sentAt) - 1; n >= share && w.sentAt[n].Sub(w.sentAt[n-share]) < time.Second {
				t.Errorf("%d datagrams within a second", share+1)
			}
			if connections != 0 {
				t.Errorf("%d connections to %v", connections, to)
			}
		},
	}
	s, err := new(Config).New(env)
	if err != nil {
		t.Fatal(err)
	}
	w.source = s.(*source)
	if change != nil {
		change(w)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	w.start = time.Now()
	before := goleak.IgnoreCurrent()
	go func() {
		if w.deaf {
			if err := dropNetRaw(); err != nil {
				done <- err
				return
			}
		}
		done <- w.source.Run(ctx, w.report)
	}()
	w.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("Run does not return")
		}
		if err := goleak.Find(before, goleak.IgnoreTopFunction("os/exec.(*Cmd).Wait")); err != nil && !strings.Contains(err.Error(), "os/exec") {
			t.Error(err)
		}
	})
	t.Cleanup(w.stop)
	return w
}

func (w *watcher) report(o discovery.Observation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	o.At = time.Now()
	w.reports = append(w.reports, o)
}

// dropNetRaw takes NET_RAW from the calling goroutine, whose thread ends with it.
func dropNetRaw() error {
	runtime.LockOSThread()
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&h, &sets[0]); err != nil {
		return err
	}
	for i := range sets {
		sets[i] = unix.CapUserData{} // and everything else
	}
	return unix.Capset(&h, &sets[0])
}

// find returns the first report after a time for which ok holds.
func (w *watcher) find(after time.Time, ok func(discovery.Observation) bool) (discovery.Observation, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.reports, func(o discovery.Observation) bool { return o.At.After(after) && ok(o) })
	if i < 0 {
		return discovery.Observation{}, false
	}
	return w.reports[i], true
}

// wait waits for a report for which ok holds, and returns how long it took.
func (w *watcher) wait(within time.Duration, what string, after time.Time, ok func(discovery.Observation) bool) (discovery.Observation, time.Duration) {
	w.t.Helper()
	var o discovery.Observation
	deadline := after.Add(within)
	for found := false; !found; {
		if o, found = w.find(after, ok); !found && time.Now().After(deadline) {
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, r := range w.reports {
				w.t.Logf("%v %v quiet=%v %v", r.At.Sub(w.start), r.About, r.Quiet, entries(r))
			}
			w.t.Fatalf("%s: not within %v; health %s %q", what, within, w.health, w.problem)
		}
		if !found {
			time.Sleep(2 * time.Millisecond)
		}
	}
	return o, o.At.Sub(after)
}

func entries(o discovery.Observation) (out []string) {
	for _, e := range o.Facts.Entries() {
		out = append(out, fmt.Sprintf("%s=%v %s %q", e.Name, e.Value, e.Why, e.Proof))
	}
	return out
}

// is reports whether an observation is about the host.
func is(h *lab.Host) func(discovery.Observation) bool {
	id, _ := discovery.MAC(h.MAC().String())
	return func(o discovery.Observation) bool { return slices.Contains(o.About, id) }
}

func has(h *lab.Host, ids ...discovery.Identifier) func(discovery.Observation) bool {
	return func(o discovery.Observation) bool {
		for _, id := range ids {
			if !slices.Contains(o.About, id) {
				return false
			}
		}
		return is(h)(o)
	}
}

func online(h *lab.Host, want bool) func(discovery.Observation) bool {
	return func(o discovery.Observation) bool {
		got, ok := fact.DeviceOnline.Get(o.Facts)
		return is(h)(o) && ok && got == want
	}
}

func hasAll(o discovery.Observation, ids ...discovery.Identifier) bool {
	return !slices.ContainsFunc(ids, func(id discovery.Identifier) bool { return !slices.Contains(o.About, id) })
}
