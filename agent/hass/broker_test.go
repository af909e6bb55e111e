package hass

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/agent/broker"
	"github.com/thingwarden/thingwarden/agent/broker/brokertest"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

// adapter counts what is sent through broker.MQTT.
type adapter struct {
	*broker.Session
	sent *atomic.Int64
}

func (a adapter) Subscribe(filter string, qos byte, fn func(discovery.Message)) func() {
	return a.Session.Subscribe(filter, qos, func(m broker.Message) {
		fn(discovery.Message{Topic: m.Topic, Payload: m.Payload, Retained: m.Retained})
	})
}

func (a adapter) Publish(ctx context.Context, ms ...discovery.Message) error {
	a.sent.Add(int64(len(ms)))
	out := make([]broker.Message, len(ms))
	for i, m := range ms {
		out[i] = broker.Message{Topic: m.Topic, Payload: m.Payload, QoS: 1, Retained: m.Retained}
	}
	return a.Session.Publish(ctx, out...)
}

// server is a real broker under test.
type server struct {
	config broker.Config
	stop   func() // at once; it forgets all
	start  func()
}

func brokers(t *testing.T, body func(t *testing.T, b server)) {
	t.Run("mosquitto", func(t *testing.T) {
		m := brokertest.StartMosquitto(t, false)
		body(t, server{broker.Config{URL: m.URL(), Username: brokertest.Username, Password: brokertest.Password}, m.Kill, m.Start})
	})
	t.Run("embedded", func(t *testing.T) {
		file := t.TempDir() + "/credentials"
		var e *broker.Embedded
		addr := "127.0.0.1:0"
		start := func() {
			var err error
			if e, err = broker.StartEmbedded(addr, file, slog.New(slog.DiscardHandler)); err != nil {
				t.Fatal(err)
			}
			addr = e.Addr
		}
		start()
		stop := func() {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}
		t.Cleanup(func() { stop() })
		body(t, server{broker.Config{URL: e.URL(), Username: e.Username, Password: e.Password}, stop, start})
	})
}

// runSession connects to the broker until the returned function is called.
func runSession(t testing.TB, cfg broker.Config, id string) (*broker.Session, func()) {
	t.Helper()
	cfg.ClientID = id
	if cfg.SyncTopic == "" {
		cfg.SyncTopic = "sync/" + id
	}
	s := broker.New(cfg, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	var once sync.Once
	end := func() { once.Do(func() { cancel(); <-done }) }
	t.Cleanup(end)
	eventually(t, "connected", func() bool { up, _ := s.State(); return up })
	return s, end
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(25 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

// observer is another client: it keeps what the broker holds, counts what is
// sent, and can do as Home Assistant or an attacker does.
type observer struct {
	t testing.TB
	s *broker.Session

	mu    sync.Mutex
	holds map[string]string
	live  []broker.Message // that came while we watched
}

func observe(t testing.TB, b server, id string) *observer {
	t.Helper()
	o := &observer{t: t, holds: map[string]string{}}
	o.s, _ = runSession(t, b.config, id)
	// One subscription: what comes by two has no order between them.
	o.s.Subscribe("#", 1, func(m broker.Message) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if strings.HasSuffix(m.Topic, "/sync") || strings.HasPrefix(m.Topic, "sync/") {
			return
		}
		if !m.Retained {
			o.live = append(o.live, m)
		}
		if len(m.Payload) == 0 {
			delete(o.holds, m.Topic)
		} else if !strings.Contains(m.Topic, "/event/") && !strings.HasSuffix(m.Topic, "/set") &&
			!strings.Contains(m.Topic, "/command") && m.Topic != "homeassistant/status" {
			o.holds[m.Topic] = string(m.Payload)
		}
	})
	o.sync()
	return o
}

func (o *observer) sync() {
	o.t.Helper()
	if err := o.s.Sync(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
}

// send publishes as somebody else.
func (o *observer) send(topic, payload string, retained bool) {
	o.t.Helper()
	if err := o.s.Publish(o.t.Context(), broker.Message{Topic: topic, Payload: []byte(payload), QoS: 1, Retained: retained}); err != nil {
		o.t.Fatal(err)
	}
}

func (o *observer) held() map[string]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.holds)
}

func (o *observer) reset() {
	o.sync()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.live = nil
}

// sent returns the topics of live messages since reset.
func (o *observer) sent() []string {
	o.sync()
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []string
	for _, m := range o.live {
		out = append(out, m.Topic)
	}
	return out
}

func (o *observer) payloads(topic string) (out []string) {
	o.sync()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.live {
		if m.Topic == topic {
			out = append(out, string(m.Payload))
		}
	}
	return out
}

// agent is a publisher with its session.
type agent struct {
	t       testing.TB
	p       *Publisher
	session *broker.Session
	sent    atomic.Int64 // messages
	end     func()       // cleanly

	mu       sync.Mutex
	memory   Memory
	commands []report.Command
	fail     error
	log      bytes.Buffer
}

func (a *agent) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.log.Write(p)
}

func (a *agent) remembered() Memory {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.memory
}

// hidden are the devices that the publisher wanted hidden.
func (a *agent) hidden() []discovery.ID { return a.commanded(report.Hide) }

// commanded are the devices of the commands of that action.
func (a *agent) commanded(action report.Action) (out []discovery.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.commands {
		if c.Action == action {
			out = append(out, c.Device)
		}
	}
	return out
}

// agents counts the agents that were started.
var agents atomic.Int64

func startAgent(t testing.TB, b server, m Memory, change func(*Options)) *agent {
	t.Helper()
	cfg := b.config
	cfg.SyncTopic = SyncTopic("home")
	cfg.Will = &broker.Message{Topic: StatusTopic("home"), Payload: []byte(Offline), QoS: 1, Retained: true}
	cfg.Birth = &broker.Message{Topic: StatusTopic("home"), Payload: []byte(Online), QoS: 1, Retained: true}
	a := &agent{t: t, memory: m}
	var endSession func()
	// The embedded broker can lose a session whose name an older one had that is
	// just ending.
	a.session, endSession = runSession(t, cfg, fmt.Sprintf("thingwarden-home-%d", agents.Add(1)))
	o := Options{
		Site: "home", Memory: m, Now: func() time.Time { return noon }, Jitter: func() time.Duration { return 0 },
		Settle: func() time.Duration { return 0 },
		Log:    slog.New(slog.NewTextHandler(a, nil)),
		Remember: func(m Memory) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.memory = m
		},
		Command: func(_ context.Context, c report.Command) error {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.commands = append(a.commands, c)
			return a.fail
		},
	}
	if change != nil {
		change(&o)
	}
	a.p = New(adapter{a.session, &a.sent}, o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := a.p.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	var once sync.Once
	a.end = func() { once.Do(func() { cancel(); <-done; endSession() }) }
	t.Cleanup(a.end)
	return a
}

func (a *agent) publish(s *report.Snapshot) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), 25*time.Second)
	defer cancel()
	var last error
	for {
		err := a.p.Publish(ctx, s)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			a.t.Fatalf("%v; before that: %v", err, last)
		}
		last = err
		time.Sleep(10 * time.Millisecond)
	}
}

// wanted is what the broker should hold of a snapshot.
func wanted(s *report.Snapshot, deleted ...discovery.ID) map[string]string {
	gone := map[discovery.ID]bool{}
	for _, id := range deleted {
		gone[id] = true
	}
	out := texts(messages(s, testOptions(), gone))
	out[StatusTopic("home")] = Online
	return out
}

func (o *observer) expect(want map[string]string) {
	o.t.Helper()
	for end := time.Now().Add(25 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		o.sync()
		got := o.held()
		if maps.Equal(got, want) {
			return
		}
		if time.Now().After(end) {
			o.t.Fatal(cmp.Diff(want, got))
		}
	}
}

func topics(s []string, part string) []string {
	return slices.DeleteFunc(slices.Clone(s), func(x string) bool { return !strings.Contains(x, part) })
}
