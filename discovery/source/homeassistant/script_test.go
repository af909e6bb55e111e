package homeassistant

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/network"
	"github.com/thingwarden/thingwarden/discovery/source/sourcetest"
)

const token = "a token that no log may show"

// TestScripts runs the source against what testdata/script says Home Assistant
// does; recorded.txtar is what a real one said. Its own steps are
//
//	answer COMMAND       the result of the command from now on, or "error CODE"
//	event COMMAND        events, one a line, that the subscription begins with if
//	                     no client is connected, and sends if one is
//	home up, home down   it listens, or has gone
//	link                 the agent is in Home Assistant's network itself
//
// COMMAND is its type, or the type of the events that it subscribes to.
func TestScripts(t *testing.T) {
	sourcetest.Scripts(t, func(t *testing.T) *sourcetest.Script {
		srv, h := newServer(), newHarness()
		started := false
		return &sourcetest.Script{World: h.World, Settle: 2 * coalesce, End: func() { srv.check(t) }, Steps: map[string]func(arg, data string){
			"answer": func(arg, data string) { srv.set(func() { srv.answers[arg] = data }) },
			"event":  func(arg, data string) { srv.event(arg, strings.Split(data, "\n")) },
			"link":   func(_, _ string) { h.set(func() { h.onLink = true }) },
			"home": func(arg, _ string) {
				srv.setUp(arg == "up")
				if !started {
					started = true
					h.start(t, Config{URL: "http://192.0.2.1:8123/", Token: token}, srv)
				}
				time.Sleep(time.Minute) // the longest backoff
			},
		}}
	})
}

// harness is the source with the world around it.
type harness struct {
	*sourcetest.World

	mu     sync.Mutex
	onLink bool
	routed []netip.Prefix
}

func newHarness() *harness {
	h := &harness{World: sourcetest.New()}
	h.Env.Networks = func() discovery.Networks {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.onLink {
			return discovery.Networks{Watched: []discovery.Network{{Interface: "eth0", Index: 2,
				Prefix: netip.MustParsePrefix("10.99.0.0/24"), Own: netip.MustParseAddr("10.99.0.3")}}}
		}
		return network.AddRouted(discovery.Networks{}, h.routed)
	}
	h.Env.Routed = func(p []netip.Prefix) {
		h.Line(fmt.Sprintf("networks %v", p))
		h.set(func() { h.routed = p })
	}
	return h
}

func (h *harness) set(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

func (h *harness) start(t *testing.T, cfg Config, transport http.RoundTripper) {
	t.Helper()
	src, err := newSource(cfg, h.Env, transport)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s, ok := transport.(*server); ok {
			s.setUp(false)
		}
		if said := h.Logged() + h.Take(); strings.Contains(said, token) {
			t.Errorf("the token was reported: %s", said)
		}
	})
	h.Run(t, src)
}

// server is a Home Assistant in memory.
type server struct {
	sourcetest.Host
	mu      sync.Mutex
	refuse  bool // the token
	silent  bool // says nothing after the log-in
	answers map[string]string
	begins  map[string][]string // events with which a subscription begins
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
	s.Handler = s
	s.SetUp(up)
	if !up {
		s.set(func() { s.subs = map[string][]subscription{} })
	}
}

// event sends events to a client that has subscribed; else they begin a subscription.
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
