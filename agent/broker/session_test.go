package broker

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/thingwarden/thingwarden/agent/broker/brokertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a broker under test.
type server struct {
	config Config // without a client id
	stop   func() // loses what it holds
	start  func()
}

// brokers runs a test against a real Mosquitto and against the embedded broker.
func brokers(t *testing.T, body func(t *testing.T, s server)) {
	t.Run("mosquitto", func(t *testing.T) {
		m := brokertest.StartMosquitto(t, false)
		body(t, server{
			config: Config{URL: m.URL(), Username: brokertest.Username, Password: brokertest.Password},
			stop:   m.Kill, start: m.Start,
		})
	})
	t.Run("embedded", func(t *testing.T) {
		file := t.TempDir() + "/broker-credentials"
		e, err := StartEmbedded("127.0.0.1:0", file, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		addr := e.Addr
		stop := func() {
			if e != nil {
				if err := e.Close(); err != nil {
					t.Error(err)
				}
				e = nil
			}
		}
		t.Cleanup(stop)
		body(t, server{
			config: Config{URL: e.URL(), Username: e.Username, Password: e.Password},
			stop:   stop,
			start: func() {
				var err error
				if e, err = StartEmbedded(addr, file, slog.New(slog.DiscardHandler)); err != nil {
					t.Fatal(err)
				}
			},
		})
	})
}

// log is a log that can be read while it is written.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func session(t *testing.T, cfg Config, id string) (*Session, *log) {
	t.Helper()
	cfg.ClientID = id
	cfg.SyncTopic = "sync/" + id
	text := &log{}
	s := New(cfg, slog.New(slog.NewTextHandler(text, nil)))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		if cfg.Password != "" && strings.Contains(text.String(), cfg.Password) {
			t.Errorf("the log holds the password:\n%s", text)
		}
	})
	return s, text
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

func connected(t *testing.T, s *Session) {
	t.Helper()
	eventually(t, "connected", func() bool { up, _ := s.State(); return up })
}

// heard collects messages.
type heard struct {
	mu  sync.Mutex
	all []string
}

func (h *heard) add(m Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	kind := ""
	if m.Retained {
		kind = " (retained)"
	}
	h.all = append(h.all, m.Topic+"="+string(m.Payload)+kind)
}

func (h *heard) get() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.all)
}

func send(t *testing.T, s *Session, topic, payload string, retained bool) {
	t.Helper()
	if err := s.Publish(t.Context(), Message{Topic: topic, Payload: []byte(payload), QoS: 1, Retained: retained}); err != nil {
		t.Fatal(err)
	}
}

func TestMessagesArriveInOrderAndSyncFencesThem(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		s, _ := session(t, b.config, "a")
		connected(t, s)
		const n = 900 // Mosquitto's queue for a client takes 1,000
		var want []string
		for i := range n {
			topic := fmt.Sprintf("t/%04d", i)
			send(t, s, topic, "v", true)
			want = append(want, topic+"=v (retained)")
		}
		var h heard
		cancel := s.Subscribe("t/+", 1, h.add)
		defer cancel()
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := h.get()
		slices.Sort(got)
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		var live heard
		cancel2 := s.Subscribe("live", 1, live.add)
		defer cancel2()
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		want = nil
		for i := range 500 {
			send(t, s, "live", fmt.Sprint(i), false)
			want = append(want, fmt.Sprintf("live=%d", i))
		}
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, live.get()); d != "" {
			t.Error(d)
		}
	})
}

func TestSubscribersMayPublishAndWait(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		s, _ := session(t, b.config, "a")
		connected(t, s)
		var h heard
		defer s.Subscribe("answer", 1, h.add)()
		defer s.Subscribe("ask", 1, func(m Message) {
			if err := s.Publish(t.Context(), Message{Topic: "answer", Payload: m.Payload, QoS: 1}); err != nil {
				t.Error(err)
			}
		})()
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 10 { // one alone works even where a burst hangs
			send(t, s, "ask", "x", false)
		}
		eventually(t, "ten answers", func() bool { return len(h.get()) == 10 })
	})
}

func TestWrongPasswordIsReportedOnceAndTriedAgain(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		cfg := b.config
		cfg.Password = "wrong-secret"
		var problems heard
		cfg.OnProblem = func(problem string) { problems.add(Message{Topic: problem}) }
		s, text := session(t, cfg, "a")
		want := `refused the user name "thingwarden" or its password`
		eventually(t, "problem", func() bool { _, p := s.State(); return strings.Contains(p, want) })
		if err := s.Publish(t.Context(), Message{Topic: "x", QoS: 1}); err == nil {
			t.Error("published without a connection")
		}
		time.Sleep(2 * time.Second) // a second attempt
		if n := strings.Count(text.String(), "refused the user name"); n != 1 || len(problems.get()) != 1 {
			t.Errorf("told %d and %d times:\n%s", n, len(problems.get()), text)
		}
	})
}

func TestAnonymousIsRefused(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		s, _ := session(t, Config{URL: b.config.URL}, "a")
		eventually(t, "problem", func() bool { _, p := s.State(); return strings.Contains(p, "wants a user name and password") })
	})
}

func TestUnreachableBroker(t *testing.T) {
	for _, tt := range []struct{ name, url, want string }{
		{"nothing there", "mqtt://127.0.0.1:1", "no MQTT broker answers at 127.0.0.1:1 (connection refused)"},
		{"no such name", "mqtt://broker.invalid", `no address is known for the name "broker.invalid" of the MQTT broker`},
		{"websocket", "ws://127.0.0.1:1", "no MQTT broker answers at 127.0.0.1:1 (connection refused)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := session(t, Config{URL: tt.url}, "a")
			eventually(t, "problem", func() bool { _, p := s.State(); return p == tt.want })
		})
	}
}

func TestReconnect(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		cfg := b.config
		cfg.Birth = &Message{Topic: "status", Payload: []byte("online"), QoS: 1, Retained: true}
		s, text := session(t, cfg, "a")
		var h heard
		defer s.Subscribe("t/#", 1, h.add)()
		var changes heard
		_, cancel := s.Connected(func(up bool) { changes.add(Message{Topic: fmt.Sprint(up)}) })
		defer cancel()
		connected(t, s)
		b.stop()
		eventually(t, "down", func() bool { up, _ := s.State(); return !up })
		b.start()
		connected(t, s)
		send(t, s, "t/1", "again", false)
		eventually(t, "message after reconnect", func() bool { return slices.Contains(h.get(), "t/1=again") })
		if d := cmp.Diff([]string{"true=", "false=", "true="}, changes.get()); d != "" {
			t.Errorf("changes: %s\n%s", d, text)
		}
		other, _ := session(t, b.config, "b")
		var status heard
		defer other.Subscribe("status", 1, status.add)()
		eventually(t, "birth after reconnect", func() bool { return slices.Equal(status.get(), []string{"status=online (retained)"}) })
	})
}

// TestRetainedComeOnce: a subscription made while the session connects is made
// once, else all retained messages would come twice.
func TestRetainedComeOnce(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		s, _ := session(t, b.config, "a")
		connected(t, s)
		send(t, s, "t", "x", true)
		if err := s.Sync(t.Context()); err != nil { // the broker is done with it
			t.Fatal(err)
		}
		for i := range 20 {
			other, _ := session(t, b.config, fmt.Sprint("b", i))
			var h heard
			cancel := other.Subscribe("t", 1, h.add)
			connected(t, other)
			if err := other.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			cancel()
			if d := cmp.Diff([]string{"t=x (retained)"}, h.get()); d != "" {
				t.Fatal(d)
			}
		}
	})
}

func TestWill(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		watcher, _ := session(t, b.config, "watcher")
		var h heard
		defer watcher.Subscribe("status", 1, h.add)()
		connected(t, watcher)
		cfg := b.config
		cfg.ClientID = "a"
		cfg.Will = &Message{Topic: "status", Payload: []byte("offline"), QoS: 1, Retained: true}
		cfg.Birth = &Message{Topic: "status", Payload: []byte("online"), QoS: 1, Retained: true}
		s := New(cfg, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		eventually(t, "online", func() bool { return slices.Equal(h.get(), []string{"status=online"}) })
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		eventually(t, "offline", func() bool { return slices.Equal(h.get(), []string{"status=online", "status=offline"}) })
	})
}

// TestFarewellIsHandedOn: who ends has seen that its farewell was handed on, else a
// new session's greeting could overtake it.
func TestFarewellIsHandedOn(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		watcher, _ := session(t, b.config, "watcher")
		var h heard
		defer watcher.Subscribe("all/#", 0, h.add)()
		connected(t, watcher)
		cfg := b.config
		cfg.ClientID, cfg.SyncTopic = "a", "all/sync"
		cfg.Will = &Message{Topic: "all/status", Payload: []byte("offline"), QoS: 1, Retained: true}
		s := New(cfg, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		connected(t, s)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		eventually(t, "farewell", func() bool { return len(h.get()) >= 3 })
		if got := h.get(); got[0] != "all/status=offline" || !strings.HasPrefix(got[1], "all/sync=") {
			t.Errorf("heard %q", got)
		}
	})
}

func TestLargePayloads(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		s, text := session(t, b.config, "a")
		connected(t, s)
		var small, large []int
		var mu sync.Mutex
		defer s.Subscribe("t", 1, func(m Message) { mu.Lock(); small = append(small, len(m.Payload)); mu.Unlock() })()
		defer s.SubscribeMax("+", 1, MaxLargePayload, func(m Message) { mu.Lock(); large = append(large, len(m.Payload)); mu.Unlock() })()
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{1, MaxPayload, MaxPayload + 1, MaxLargePayload, MaxLargePayload + 1, 2} {
			if n > MaxLargePayload && strings.Contains(t.Name(), "embedded") {
				continue // it takes no such packet
			}
			send(t, s, "t", strings.Repeat("x", n), false)
			if n == MaxPayload+1 {
				eventually(t, "told", func() bool {
					_, problem := s.State()
					return problem == fmt.Sprintf(`a message on "t" was not read: it has %d bytes, and at most %d are read`, n, MaxPayload)
				})
			}
		}
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		// Brokers may send a message twice to one client with two matching filters.
		slices.Sort(small)
		slices.Sort(large)
		if d := cmp.Diff([]int{1, 2, MaxPayload}, slices.Compact(small)); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]int{1, 2, MaxPayload, MaxPayload + 1, MaxLargePayload}, slices.Compact(large)); d != "" {
			t.Error(d)
		}
		if !strings.Contains(text.String(), "too large") {
			t.Errorf("nothing in the log:\n%s", text)
		}
		if up, problem := s.State(); !up || problem != "" {
			t.Errorf("after a message that fits: up %v, %q", up, problem)
		}
	})
}

func TestCancelledSubscriberHearsNoMore(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		s, _ := session(t, b.config, "a")
		connected(t, s)
		var one, two heard
		cancel := s.Subscribe("t", 1, one.add)
		defer s.Subscribe("t", 1, two.add)()
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		send(t, s, "t", "1", false)
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		cancel()
		send(t, s, "t", "2", false)
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{"t=1"}, one.get()); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]string{"t=1", "t=2"}, two.get()); d != "" {
			t.Error(d)
		}
	})
}

func TestParseURL(t *testing.T) {
	for _, tt := range []struct{ name, in, want, err string }{
		{"port of mqtt", "mqtt://host", "host:1883", ""},
		{"port of mqtts", "mqtts://host", "host:8883", ""},
		{"port of ws", "ws://host/mqtt", "host:80", ""},
		{"port of wss", "wss://host", "host:443", ""},
		{"own port", "mqtt://host:1884", "host:1884", ""},
		{"IPv6", "mqtt://[2001:db8::1]", "[2001:db8::1]:1883", ""},
		{"no scheme", "host", "", `scheme "" of "host" is none of mqtt, mqtts, ws, wss`},
		{"other scheme", "http://u:secret@host", "", `scheme "http" of "http://u:xxxxx@host" is none of mqtt, mqtts, ws, wss`},
		{"no host", "mqtt://:1883", "", `"mqtt://:1883" names no host`},
		{"no URL", "mqtt://u:secret@ho st", "", "not a URL such as mqtt://192.168.1.10"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u, err := ParseURL(tt.in)
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Fatalf("error %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil || u.Host != tt.want {
				t.Errorf("got %v, %v; want %s", u, err, tt.want)
			}
		})
	}
}

func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		filter, topic string
		want          bool
	}{
		{"a/b", "a/b", true}, {"a/b", "a/b/c", false}, {"a/b/c", "a/b", false},
		{"a/+", "a/b", true}, {"a/+", "a", false}, {"a/+", "a/b/c", false}, {"+", "a", true}, {"+/+", "/a", true},
		{"a/#", "a", true}, {"a/#", "a/b/c", true}, {"#", "a/b", true}, {"a/#", "b", false},
		{"#", "$SYS/x", false}, {"+/x", "$SYS/x", false}, {"$SYS/#", "$SYS/x", true}, {"a/+/c", "a/b/c", true}, {"a/+/#", "a/b", true},
	} {
		if got := matches(tt.filter, tt.topic); got != tt.want {
			t.Errorf("matches(%q, %q) = %v", tt.filter, tt.topic, got)
		}
	}
}
