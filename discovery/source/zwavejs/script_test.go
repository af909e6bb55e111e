package zwavejs

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/thingwarden/thingwarden/discovery/source/sourcetest"
)

// TestScripts runs the source against what testdata/script says a server does.
// Its own steps are
//
//	version, state             what the server says at the next connection
//	server up, server down     it listens, or has gone
//	frame                      it sends the file's content
//	answer                     what it answers to the next node.get_state
func TestScripts(t *testing.T) {
	sourcetest.Scripts(t, func(t *testing.T) *sourcetest.Script {
		h := newHarness()
		srv := &server{got: h.Line}
		started := false
		return &sourcetest.Script{World: h.World, Steps: map[string]func(arg, data string){
			"version": func(_, data string) { srv.set(func() { srv.version = data }) },
			"state":   func(_, data string) { srv.set(func() { srv.state = data }) },
			"answer":  func(_, data string) { srv.set(func() { srv.answer = data }) },
			"frame":   func(_, data string) { srv.send(data) },
			"server": func(arg, _ string) {
				srv.setUp(arg == "up")
				if !started {
					started = true
					h.start(t, Config{URLs: []string{"ws://192.0.2.1:3000"}}, srv)
				}
				time.Sleep(time.Minute) // the longest backoff
			},
		}}
	})
}

// harness is the source with the world around it.
type harness struct{ *sourcetest.World }

func newHarness() harness { return harness{sourcetest.New()} }

func (h harness) start(t *testing.T, cfg Config, transport http.RoundTripper) {
	t.Helper()
	src, err := newSource(cfg, h.Env, transport)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s, ok := transport.(*server); ok {
			s.setUp(false)
		}
	})
	h.Run(t, src)
}

// server is a Z-Wave JS server in memory.
type server struct {
	sourcetest.Host
	got func(string)

	mu      sync.Mutex
	version string
	state   string
	answer  string
	old     bool // knows set_api_schema only
	ws      []*websocket.Conn
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
		s.set(func() { s.ws = nil })
	}
}

// send sends a frame to whoever is connected.
func (s *server) send(frame string) {
	s.mu.Lock()
	ws := slices.Clone(s.ws)
	s.mu.Unlock()
	for _, c := range ws {
		_ = c.Write(context.Background(), websocket.MessageText, []byte(frame))
	}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	s.mu.Lock()
	version := s.version
	s.mu.Unlock()
	ctx := context.Background()
	if c.Write(ctx, websocket.MessageText, []byte(version)) != nil {
		return
	}
	for {
		_, b, err := c.Read(ctx)
		if err != nil {
			return
		}
		s.got("server got " + string(b))
		var m struct{ MessageID, Command string }
		_ = json.Unmarshal(b, &m)
		s.mu.Lock()
		result, success := "{}", true
		switch m.Command {
		case "initialize":
			success = !s.old
		case "start_listening":
			result = s.state
			s.ws = append(s.ws, c)
		case "node.get_state":
			result, success = s.answer, s.answer != ""
		}
		s.mu.Unlock()
		answer := fmt.Sprintf(`{"type":"result","success":true,"messageId":%q,"result":%s}`, m.MessageID, result)
		if !success {
			answer = fmt.Sprintf(`{"type":"result","success":false,"messageId":%q,"errorCode":"unknown_command"}`, m.MessageID)
		}
		if c.Write(ctx, websocket.MessageText, []byte(answer)) != nil {
			return
		}
	}
}
