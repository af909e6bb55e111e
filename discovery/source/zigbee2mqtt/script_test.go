package zigbee2mqtt

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

var update = flag.Bool("update", false, "write what the source reports into the scripts")

// TestScripts runs the source against what testdata/script says a broker does.
// A step is one of
//
//	live TOPIC, retained TOPIC    a message with the file's content arrives
//	broker down, broker up        the connection changes; the broker keeps what is retained
//	wait DURATION                 time passes
//	want                          all that was reported since the last want
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runScript(t, file) })
		})
	}
}

func runScript(t *testing.T, file string) {
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	h := start(t, Config{})
	for i, f := range ar.Files {
		what, arg, _ := strings.Cut(f.Name, " ")
		switch what {
		case "live", "retained":
			h.broker.publish(arg, strings.TrimSuffix(string(f.Data), "\n"), what == "retained")
		case "broker":
			h.broker.setUp(arg == "up")
		case "wait":
			d, err := time.ParseDuration(arg)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(d)
		case "want":
			synctest.Wait()
			got := h.take()
			if *update {
				ar.Files[i].Data = []byte(got)
			} else if d := cmp.Diff(healthFirst(string(f.Data)), healthFirst(got)); d != "" {
				t.Errorf("step %d (-want +got):\n%s", i, d)
			}
		default:
			t.Fatalf("step %d: unknown step %q", i, f.Name)
		}
		synctest.Wait()
	}
	if rest := h.take(); rest != "" {
		t.Errorf("reported after the last want:\n%s", rest)
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// healthFirst puts what is told of the source's health before what is told of
// devices: the two come from goroutines that do not wait for each other.
func healthFirst(s string) string {
	var health, devices strings.Builder
	for line := range strings.Lines(s) {
		if strings.HasPrefix(line, "health ") {
			health.WriteString(line)
		} else {
			devices.WriteString(line)
		}
	}
	return health.String() + devices.String()
}

// harness is the source with the world around it.
type harness struct {
	broker *broker
	start  time.Time

	mu  sync.Mutex
	out strings.Builder
	all []discovery.Observation
}

// clock is the time at which the scripts begin, some seconds before the
// recorded window ends.
var clock = time.Date(2026, 11, 22, 8, 6, 0, 0, time.UTC)

func start(t *testing.T, cfg Config) *harness {
	began := time.Now()
	h := &harness{broker: newBroker()}
	env := discovery.Env{
		Log:      slog.New(slog.DiscardHandler),
		Now:      func() time.Time { return clock.Add(time.Since(began)) },
		MQTT:     h.broker,
		Networks: func() discovery.Networks { return discovery.Networks{} },
		Sent:     func(netip.Addr, int, int) {},
		Health: func(s discovery.Status, problem string) {
			h.mu.Lock()
			defer h.mu.Unlock()
			fmt.Fprintf(&h.out, "health %s %s\n", s, problem)
		},
	}
	src, err := cfg.New(env)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, h.report) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if n := h.broker.subscribers(); n != 0 {
			t.Errorf("%d subscriptions were left behind", n)
		}
	})
	synctest.Wait()
	return h
}

func (h *harness) report(o discovery.Observation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, o)
	h.out.WriteString(describe(o))
}

func (h *harness) take() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.out.String()
	h.out.Reset()
	return s
}

// describe writes an observation for a person to read and compare.
func describe(o discovery.Observation) string {
	var s strings.Builder
	for _, i := range o.About {
		fmt.Fprintf(&s, "%s %s", i.Kind, i.Value)
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
	for _, e := range o.Facts.Entries() {
		if !e.Known() {
			fmt.Fprintf(&s, "  %s unknown: %s\n", e.Name, e.Why)
			continue
		}
		v := e.Value
		if at, ok := v.(time.Time); ok {
			v = at.Format(time.RFC3339)
		}
		fmt.Fprintf(&s, "  %s = %v (%s)\n", e.Name, v, e.Proof)
	}
	return s.String()
}

// last returns the value of a word in the newest observation of a device.
func last[T fact.Value](h *harness, id string, w fact.Fact[T]) (v T, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range slices.Backward(h.all) {
		if o.About[0].Value == id {
			return w.Get(o.Facts)
		}
	}
	return v, false
}

// broker is an MQTT session on a broker in memory.
type broker struct {
	mu       sync.Mutex
	up       bool
	retained map[string]string
	subs     map[int]subscription
	links    map[int]func(bool)
	n        int
}

type subscription struct {
	filter string
	fn     func(discovery.Message)
}

func newBroker() *broker {
	return &broker{up: true, retained: map[string]string{}, subs: map[int]subscription{}, links: map[int]func(bool){}}
}

func (b *broker) Subscribe(filter string, _ byte, fn func(discovery.Message)) func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n++
	n := b.n
	b.subs[n] = subscription{filter, fn}
	b.replay(b.subs[n])
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subs, n)
	}
}

func (b *broker) replay(s subscription) {
	for _, topic := range slices.Sorted(maps.Keys(b.retained)) {
		if b.up && matches(s.filter, topic) {
			s.fn(discovery.Message{Topic: topic, Payload: []byte(b.retained[topic]), Retained: true})
		}
	}
}

func (b *broker) Connected(fn func(bool)) (bool, func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n++
	n := b.n
	b.links[n] = fn
	return b.up, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.links, n)
	}
}

// publish brings a message: one that a client sends now, or one that the
// broker had before we subscribed.
func (b *broker) publish(topic, payload string, retained bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if retained || strings.Contains(topic, "/bridge/") && !strings.HasSuffix(topic, "/event") || strings.HasSuffix(topic, "/availability") {
		b.retained[topic] = payload
	}
	for _, s := range b.subs {
		if matches(s.filter, topic) {
			s.fn(discovery.Message{Topic: topic, Payload: []byte(payload), Retained: retained})
		}
	}
}

func (b *broker) setUp(up bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.up = up
	for _, fn := range b.links {
		fn(up)
	}
	for _, n := range slices.Sorted(maps.Keys(b.subs)) {
		b.replay(b.subs[n])
	}
}

func (b *broker) subscribers() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.subs) + len(b.links)
}

func (b *broker) filters() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, s := range b.subs {
		out = append(out, s.filter)
	}
	slices.Sort(out)
	return out
}

func matches(filter, topic string) bool {
	f, t := strings.Split(filter, "/"), strings.Split(topic, "/")
	for i, level := range f {
		if level == "#" {
			return true
		}
		if i >= len(t) || level != "+" && level != t[i] {
			return false
		}
	}
	return len(f) == len(t)
}
