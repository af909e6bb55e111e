package zwavejs

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
	"github.com/thingwarden/thingwarden/discovery/fact"
)

var update = flag.Bool("update", false, "write what the source reports into the scripts")

// TestScripts runs the source against what testdata/script says a server does.
// A step is one of
//
//	version, state             what the server says at the next connection
//	server up, server down     it listens, or has gone
//	frame                      it sends the file's content
//	answer                     what it answers to the next node.get_state
//	wait DURATION              time passes
//	want                       all that was sent and reported since the last want
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
	srv := &server{}
	h := &harness{}
	srv.got = h.line
	started := false
	for i, f := range ar.Files {
		what, arg, _ := strings.Cut(f.Name, " ")
		data := strings.TrimSpace(string(f.Data))
		switch what {
		case "version":
			srv.set(func() { srv.version = data })
		case "state":
			srv.set(func() { srv.state = data })
		case "answer":
			srv.set(func() { srv.answer = data })
		case "frame":
			srv.send(data)
		case "server":
			srv.setUp(arg == "up")
			if !started {
				started = true
				h.start(t, Config{URLs: []string{"ws://192.0.2.1:3000"}}, srv)
			}
			time.Sleep(time.Minute) // the longest backoff
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
	if *update {
		if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// harness is the source with the world around it.
type harness struct {
	mu    sync.Mutex
	out   strings.Builder
	all   []discovery.Observation
	dials int
}

func (h *harness) start(t *testing.T, cfg Config, transport http.RoundTripper) {
	t.Helper()
	env := discovery.Env{
		Log: slog.New(slog.DiscardHandler),
		Now: time.Now,
		Sent: func(_ netip.Addr, _, connections int) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.dials += connections
		},
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
		if e.Known() {
			fmt.Fprintf(&s, "  %s = %v (%s)\n", e.Name, e.Value, e.Proof)
		} else {
			fmt.Fprintf(&s, "  %s unknown: %s\n", e.Name, e.Why)
		}
	}
	return s.String()
}

// last returns the value of a word in the newest observation of a node.
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

// server is a Z-Wave JS server in memory. It is the source's transport, too.
type server struct {
	got func(string)

	mu      sync.Mutex
	version string
	state   string
	answer  string
	old     bool // knows set_api_schema only
	stalled bool // what it writes does not arrive
	up      bool
	conns   []net.Conn
	ws      []*websocket.Conn
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
		s.conns, s.ws = nil, nil
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
		one := &oneListener{conn: &stalling{Conn: far, server: s}}
		go func() { _ = (&http.Server{Handler: s}).Serve(one) }()
		return near, nil
	}}
	return t.RoundTrip(r)
}

// stalling is a connection whose other end can vanish without closing it.
type stalling struct {
	net.Conn
	server *server
}

func (c *stalling) Write(b []byte) (int, error) {
	c.server.mu.Lock()
	stalled := c.server.stalled
	c.server.mu.Unlock()
	if stalled {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// stall makes the server vanish without closing its connections.
func (s *server) stall() { s.set(func() { s.stalled = true }) }

// oneListener hands out one connection.
type oneListener struct {
	conn net.Conn
}

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
