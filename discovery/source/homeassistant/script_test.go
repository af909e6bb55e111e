package homeassistant

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/network"
)

var rewrite = flag.Bool("update", false, "write what the source reports into the scripts")

const token = "a token that nobody may see"

// TestScripts runs the source against what testdata/script says Home Assistant
// does; recorded.txtar is what a real one said. A step is one of
//
//	answer COMMAND       the result of the command from now on, or "error CODE"
//	event COMMAND        events, one a line, that the subscription begins with if
//	                     nobody is connected, and sends if somebody is
//	home up, home down   it listens, or has gone
//	link                 the agent is in Home Assistant's network itself
//	wait DURATION        time passes
//	skip                 what was reported is not looked at
//	want                 all that was reported since the last want
//
// COMMAND is its type, or the type of the events that it subscribes to.
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
	srv := newServer()
	h := &harness{}
	for i, f := range ar.Files {
		what, arg, _ := strings.Cut(f.Name, " ")
		data := strings.TrimSpace(string(f.Data))
		switch what {
		case "answer":
			srv.set(func() { srv.answers[arg] = data })
		case "event":
			srv.event(arg, strings.Split(data, "\n"))
		case "link":
			h.onLink = true
		case "home":
			srv.setUp(arg == "up")
			if !h.started {
				h.start(t, Config{URL: "http://192.0.2.1:8123/", Token: token}, srv)
			}
			time.Sleep(time.Minute) // the longest backoff
		case "wait":
			d, err := time.ParseDuration(arg)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(d)
		case "skip":
			synctest.Wait()
			h.take()
		case "want":
			time.Sleep(2 * coalesce)
			synctest.Wait()
			got := h.take()
			if *rewrite {
				ar.Files[i].Data = []byte(got)
			} else if d := cmp.Diff(string(f.Data), got); d != "" {
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
	srv.check(t)
	if *rewrite {
		if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// harness is the source with the world around it.
type harness struct {
	started bool
	onLink  bool
	log     lockedBuffer

	mu     sync.Mutex
	out    strings.Builder
	all    []discovery.Observation
	routed []netip.Prefix
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (h *harness) start(t *testing.T, cfg Config, transport http.RoundTripper) {
	t.Helper()
	h.started = true
	env := discovery.Env{
		Log: slog.New(slog.NewTextHandler(&h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now: time.Now,
		Networks: func() discovery.Networks {
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.onLink {
				return discovery.Networks{Looked: []discovery.Network{{Interface: "eth0", Index: 2,
					Prefix: netip.MustParsePrefix("10.99.0.0/24"), Own: netip.MustParseAddr("10.99.0.3")}}}
			}
			return network.AddRouted(discovery.Networks{}, h.routed)
		},
		Routed: func(p []netip.Prefix) {
			h.line(fmt.Sprintf("networks %v", p))
			h.mu.Lock()
			defer h.mu.Unlock()
			h.routed = p
		},
		Sent: func(netip.Addr, int, int) {},
		Health: func(s discovery.Status, problem string) {
			h.line(strings.TrimSpace(fmt.Sprintf("health %s %s", s, problem)))
		},
	}
	src, err := newSource(cfg, env, transport)
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
		if s, ok := transport.(*server); ok {
			s.setUp(false)
		}
		if said := h.log.b.String() + h.take(); strings.Contains(said, token) {
			t.Errorf("the token was told: %s", said)
		}
	})
	synctest.Wait()
}

func (h *harness) line(s string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.out.WriteString(s + "\n")
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
		if e.Known() {
			fmt.Fprintf(&s, "  %s = %v (%s)\n", e.Name, e.Value, e.Proof)
		} else {
			fmt.Fprintf(&s, "  %s unknown: %s\n", e.Name, e.Why)
		}
	}
	return s.String()
}

// server is a Home Assistant in memory. It is the source's transport, too.
type server struct {
	mu      sync.Mutex
	refuse  bool // the token
	silent  bool // says nothing after the log-in
	answers map[string]string
	begins  map[string][]string // events with which a subscription begins
	up      bool
	conns   []net.Conn
	subs    map[string][]subscription
	got     []string // commands
}

type subscription struct {
	id   int
	conn *websocket.Conn
}

func newServer() *server {
	return &server{answers: map[string]string{
		"network": `{"adapters":[]}`, "config/area_registry/list": `[]`, "config/device_registry/list": `[]`,
		"config/entity_registry/list_for_display": `{"entities":[]}`,
	}, begins: map[string][]string{}, subs: map[string][]subscription{}}
}

func (s *server) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *server) setUp(up bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up = up
	if !up {
		for _, c := range s.conns {
			_ = c.Close()
		}
		s.conns, s.subs = nil, map[string][]subscription{}
	}
}

// event sends events to who has subscribed; else they begin a subscription.
func (s *server) event(command string, events []string) {
	s.mu.Lock()
	subs := slices.Clone(s.subs[command])
	if len(subs) == 0 {
		s.begins[command] = events
	}
	s.mu.Unlock()
	for _, sub := range subs {
		for _, e := range events {
			_ = sub.conn.Write(context.Background(), websocket.MessageText, fmt.Appendf(nil, `{"id":%d,"type":"event","event":%s}`, sub.id, e))
		}
	}
}

// check fails the test if a command came that is not one of the list.
func (s *server) check(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.got) == 0 {
		t.Error("no command came")
	}
	for _, got := range s.got {
		_, rest, _ := strings.Cut(strings.TrimSuffix(got, "}"), ",")
		if !slices.Contains(allowed, command(rest)) {
			t.Errorf("command %s was sent", got)
		}
	}
}

// RoundTrip implements http.RoundTripper by a connection in memory.
func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	t := &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.up {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connect: connection refused")}
		}
		near, far := net.Pipe()
		s.conns = append(s.conns, far)
		go func() { _ = (&http.Server{Handler: s}).Serve(&oneListener{conn: far}) }()
		return near, nil
	}}
	return t.RoundTrip(r)
}

// oneListener hands out one connection.
type oneListener struct{ conn net.Conn }

func (l *oneListener) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l *oneListener) Close() error   { return nil }
func (l *oneListener) Addr() net.Addr { return &net.TCPAddr{} }

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/api/websocket" {
		http.NotFound(w, r)
		return
	}
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	ctx := context.Background()
	write := func(format string, args ...any) bool {
		return c.Write(ctx, websocket.MessageText, fmt.Appendf(nil, format, args...)) == nil
	}
	write(`{"type":"auth_required","ha_version":"2026.11.0"}`)
	_, b, err := c.Read(ctx)
	var auth struct {
		Token string `json:"access_token"`
	}
	if err != nil || json.Unmarshal(b, &auth) != nil {
		return
	}
	s.mu.Lock()
	refuse, silent := s.refuse || auth.Token != token, s.silent
	s.mu.Unlock()
	if refuse {
		write(`{"type":"auth_invalid","message":"Invalid access token or password"}`)
		return
	}
	write(`{"type":"auth_ok","ha_version":"2026.11.0"}`)
	for {
		if _, b, err = c.Read(ctx); err != nil {
			return
		}
		if !silent && !s.serve(c, b, write) {
			return
		}
	}
}

// serve answers a command.
func (s *server) serve(c *websocket.Conn, b []byte, write func(string, ...any) bool) bool {
	var m struct {
		ID    int    `json:"id"`
		Type  string `json:"type"`
		Event string `json:"event_type"`
	}
	_ = json.Unmarshal(b, &m)
	name := m.Type
	if m.Event != "" {
		name = m.Event
	}
	s.mu.Lock()
	s.got = append(s.got, string(b))
	answer, begins := s.answers[name], s.begins[name]
	code, refused := strings.CutPrefix(answer, "error ")
	if !refused && strings.Contains(m.Type, "subscribe") {
		s.subs[name] = append(s.subs[name], subscription{m.ID, c})
	}
	s.mu.Unlock()
	switch {
	case m.Type == "ping":
		return write(`{"id":%d,"type":"pong"}`, m.ID)
	case refused:
		return write(`{"id":%d,"type":"result","success":false,"error":{"code":%q,"message":"No."}}`, m.ID, code)
	case answer == "":
		answer = "null"
	}
	ok := write(`{"id":%d,"type":"result","success":true,"result":%s}`, m.ID, answer)
	if strings.Contains(m.Type, "subscribe") {
		for _, e := range begins {
			ok = ok && write(`{"id":%d,"type":"event","event":%s}`, m.ID, e)
		}
	}
	return ok
}
