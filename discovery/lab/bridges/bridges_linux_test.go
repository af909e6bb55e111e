package bridges

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/agent/broker"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/lab"
	"github.com/thingwarden/thingwarden/policy"
)

func TestMain(m *testing.M) { lab.Main(m) }

// view is what a source has reported.
type view struct {
	mu      sync.Mutex
	devices map[string]discovery.Observation // newest by id
	log     []discovery.Observation
	status  discovery.Status
	problem string
}

// follow runs a source until the test ends.
func follow(t *testing.T, cfg discovery.SourceConfig, mqtt discovery.MQTT) *view {
	t.Helper()
	v := &view{devices: map[string]discovery.Observation{}}
	src, err := cfg.New(discovery.Env{
		Log: slog.New(slog.DiscardHandler), Now: time.Now, MQTT: mqtt,
		Networks: func() discovery.Networks { return discovery.Networks{} },
		Sent:     func(netip.Addr, int, int) {},
		Health: func(s discovery.Status, problem string) {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.status, v.problem = s, problem
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, v.report) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return v
}

func (v *view) report(o discovery.Observation) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.log = append(v.log, o)
	id := o.About[0].Value
	if o.Gone {
		delete(v.devices, id)
		return
	}
	v.devices[id] = o
}

// reported tells whether an observation for which want is true came at any time.
func (v *view) reported(want func(discovery.Observation) bool) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.ContainsFunc(v.log, want)
}

// health returns the status and problem told last.
func (v *view) health() (discovery.Status, string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.status, v.problem
}

// words returns what is known of each device: its name, and the words that the
// table is about.
func (v *view) words() map[string]string {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := map[string]string{}
	for id, o := range v.devices {
		var s strings.Builder
		fmt.Fprintf(&s, "%q", o.Name)
		for _, e := range o.Facts.Entries() {
			switch {
			case e.Name == "device.kind" || e.Name == "zigbee.join_open_since" || e.Name == "zigbee.join_open_day":
			case e.Known():
				fmt.Fprintf(&s, " %s=%v", strings.TrimPrefix(e.Name, "device."), e.Value)
			case e.Why != fact.NotReported:
				fmt.Fprintf(&s, " %s?%s", strings.TrimPrefix(e.Name, "device."), e.Why)
			}
		}
		out[id] = s.String()
	}
	return out
}

// expect waits until the devices and their words are those of the table.
func (v *view) expect(t *testing.T, timeout time.Duration, want map[string]string) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for {
		got := v.words()
		if maps.Equal(got, want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v (-want +got):\n%s", timeout, cmp.Diff(want, got))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// verdicts returns what our own policies say of each device that is not well:
// what fails with its severity, and what could not be checked with a "?".
func (v *view) verdicts(t *testing.T) map[string]string {
	t.Helper()
	set, err := policy.Load(policy.Options{}, policy.Builtin()...)
	if err != nil {
		t.Fatal(err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	out := map[string]string{}
	for id, o := range v.devices {
		var said []string
		judged, _ := set.Evaluate(o.Facts, time.Now())
		for _, d := range judged {
			switch name := d.Policy.ID; {
			case !strings.HasPrefix(name, "zigbee-") && !strings.HasPrefix(name, "zwave-"):
			case d.Result == policy.Fail:
				said = append(said, fmt.Sprintf("%s %s", name, d.Severity))
			case d.Result == policy.Unknown && lacks(o, d.Missing):
				said = append(said, name+" ?")
			}
		}
		if len(said) > 0 {
			slices.Sort(said)
			out[id] = strings.Join(said, ", ")
		}
	}
	return out
}

// lacks reports whether a missing word is one that the source tried to give.
func lacks(o discovery.Observation, missing []policy.Missing) bool {
	return slices.ContainsFunc(missing, func(m policy.Missing) bool { _, tried := o.Facts.Entry(m.Word); return tried })
}

// session is the agent's MQTT session.
type session struct{ *broker.Session }

func (s session) Subscribe(filter string, qos byte, fn func(discovery.Message)) func() {
	return s.SubscribeMax(filter, qos, broker.MaxLargePayload, func(m broker.Message) {
		fn(discovery.Message{Topic: m.Topic, Payload: m.Payload, Retained: m.Retained})
	})
}

func connect(t *testing.T, url string) discovery.MQTT {
	t.Helper()
	s := broker.New(broker.Config{URL: url, ClientID: "thingwarden-test"}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { _ = s.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return session{s}
}
