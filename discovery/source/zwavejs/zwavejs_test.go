package zwavejs

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/session"
	"github.com/thingwarden/thingwarden/discovery/internal/wsjson"
	"github.com/thingwarden/thingwarden/discovery/source/sourcetest"
)

const (
	aVersion = `{"type":"version","minSchemaVersion":0,"maxSchemaVersion":50}`
	aState   = `{"state":{"controller":{"homeId":7,"ownNodeId":1,"inclusionState":0},"nodes":[{"nodeId":1,"status":4},{"nodeId":2,"status":4,"firmwareVersion":"1"}]}}`
)

func TestConfiguration(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"default", Config{URLs: []string{DefaultURL}}, ""},
		{"none", Config{}, ""},
		{"encrypted", Config{URLs: []string{"wss://zwave.example/path"}}, ""},
		{"http", Config{URLs: []string{"http://a:3000"}}, `"http://a:3000" is not of the form ws://host:port`},
		{"no host", Config{URLs: []string{"ws://:3000"}}, "is not of the form"},
		{"no secret in the message", Config{URLs: []string{"x://user:secret@a:3000/?token=secret"}}, `"x://a:3000/"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.cfg.New(discovery.Env{})
			got := fmt.Sprint(err)
			if tt.want == "" && err != nil || !strings.Contains(got, tt.want) || strings.Contains(got, "secret") {
				t.Errorf("got error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestSchema(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want int64
		err  string
	}{
		{`{"type":"version","minSchemaVersion":0,"maxSchemaVersion":50}`, 50, ""},
		{`{"type":"version","minSchemaVersion":0,"maxSchemaVersion":90}`, 50, ""},
		{`{"type":"version","minSchemaVersion":0,"maxSchemaVersion":17}`, 17, ""},
		{`{"type":"version","minSchemaVersion":0,"maxSchemaVersion":9}`, 0, "too old"},
		{`{"type":"version","minSchemaVersion":51,"maxSchemaVersion":60}`, 0, "too new"},
		{`{"type":"version"}`, 0, "no schema"},
		{`{"type":"result"}`, 0, `the first frame is "result"`},
		{`<html>`, 0, "not the JSON expected"},
	} {
		v, err := decodeVersion([]byte(tt.in))
		got := int64(0)
		if err == nil {
			got, err = v.schema()
		}
		if got != tt.want || tt.err == "" && err != nil || !strings.Contains(fmt.Sprint(err), tt.err) {
			t.Errorf("%s: got %d, %v; want %d, %q", tt.in, got, err, tt.want, tt.err)
		}
	}
}

// TestNoServer: a home without Z-Wave gets no message, an owner who named a
// server is.
func TestNoServer(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"default", Config{URLs: []string{DefaultURL}}, "health ok\n"},
		{"default, written by the owner", Config{URLs: []string{DefaultURL}, Written: true},
			"health ok\nhealth down Z-Wave JS at ws://127.0.0.1:3000 cannot be reached: connect: connection refused.\n"},
		{"one of two", Config{URLs: []string{DefaultURL, "ws://user:pw@192.0.2.7:3000"}},
			"health ok\nhealth degraded Z-Wave JS at ws://192.0.2.7:3000 cannot be reached: connect: connection refused.\n"},
		{"none", Config{}, "health ok\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarness()
				h.start(t, tt.cfg, &server{got: h.Line})
				time.Sleep(10 * time.Minute)
				if d := cmp.Diff(tt.want, h.Take()); d != "" {
					t.Error(d)
				}
				// 6 attempts in the first minute or less, then one in 30 to 60 s.
				if n, most := h.Dials(), len(tt.cfg.URLs)*(12+2*9); n > most || len(tt.cfg.URLs) > 0 && n < 10 {
					t.Errorf("%d connections in ten minutes, want at most %d", n, most)
				}
			})
		})
	}
}

// TestAnotherProgram: port 3000 belongs to many a program.
func TestAnotherProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness()
		srv := &server{got: h.Line, version: `{"hello":"world"}`}
		srv.setUp(true)
		h.start(t, Config{URLs: []string{DefaultURL}}, srv)
		time.Sleep(10 * time.Minute)
		if d := cmp.Diff("health ok\n", h.Take()); d != "" {
			t.Error(d)
		}
	})
}

func TestRedirect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness()
		h.start(t, Config{URLs: []string{"ws://192.0.2.1:3000"}}, roundTrip(func(r *http.Request) (*http.Response, error) {
			h.Line("request " + r.URL.Host)
			return &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {"http://127.0.0.1/"}}, Body: http.NoBody, Request: r}, nil
		}))
		time.Sleep(time.Second)
		got := h.Take()
		if n := strings.Count(got, "request "); n == 0 || n != strings.Count(got, "request 192.0.2.1:3000\n") {
			t.Errorf("was redirected, or requested nothing:\n%s", got)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestLost: a default server that was there once is missed.
func TestLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness()
		srv := &server{got: h.Line, version: aVersion, state: aState}
		srv.setUp(true)
		h.start(t, Config{URLs: []string{DefaultURL}}, srv)
		time.Sleep(time.Hour)
		if on, known := sourcetest.Last(h.World, "00000007_2", fact.DeviceOnline); !on || !known {
			t.Fatalf("online %v, known %v", on, known)
		}
		h.Take()
		srv.setUp(false)
		time.Sleep(10 * time.Minute)
		if _, known := sourcetest.Last(h.World, "00000007_2", fact.DeviceOnline); known {
			t.Error("a node is said to be online while the server is gone")
		}
		if got := h.Take(); !strings.Contains(got, "health down Z-Wave JS at ws://127.0.0.1:3000 cannot be reached: the connection was lost.\n") {
			t.Errorf("health does not say it:\n%s", got)
		}
		srv.setUp(true)
		time.Sleep(session.MaxBackoff)
		if on, known := sourcetest.Last(h.World, "00000007_2", fact.DeviceOnline); !on || !known {
			t.Errorf("after its return: online %v, known %v", on, known)
		}
		if got := h.Take(); !strings.HasPrefix(got, "server got") || !strings.Contains(got, "health ok\n") {
			t.Errorf("health does not recover:\n%s", got)
		}
	})
}

// TestSilent: a server that is gone without closing the connection is noticed.
func TestSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness()
		srv := &server{got: h.Line, version: aVersion, state: aState}
		srv.setUp(true)
		h.start(t, Config{URLs: []string{DefaultURL}}, srv)
		time.Sleep(time.Hour)
		h.Take()
		srv.Stall()
		time.Sleep(pingEvery + wsjson.Timeout + time.Second)
		if got := h.Take(); !strings.Contains(got, "health down Z-Wave JS at ws://127.0.0.1:3000 cannot be reached: it no longer answers") {
			t.Errorf("not noticed:\n%s", got)
		}
	})
}

func TestOldServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness()
		srv := &server{got: h.Line, version: `{"type":"version","minSchemaVersion":0,"maxSchemaVersion":12}`, state: aState, old: true}
		srv.setUp(true)
		h.start(t, Config{URLs: []string{DefaultURL}}, srv)
		var sent []string
		for line := range strings.Lines(h.Take()) {
			if strings.HasPrefix(line, "server got") {
				sent = append(sent, strings.TrimSpace(line))
			}
		}
		want := []string{
			`server got {"command":"initialize","messageId":"1","schemaVersion":12}`,
			`server got {"command":"set_api_schema","messageId":"1a","schemaVersion":12}`,
			`server got {"command":"start_listening","messageId":"2"}`,
		}
		if d := cmp.Diff(want, sent); d != "" {
			t.Error(d)
		}
	})
}

// TestSameNetworkTwice: of two addresses of one server, one is enough.
func TestSameNetworkTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness()
		srv := &server{got: h.Line, version: aVersion, state: aState}
		srv.setUp(true)
		h.start(t, Config{URLs: []string{"ws://192.0.2.1:3000", "ws://192.0.2.2:3000"}}, srv)
		time.Sleep(time.Second)
		got := h.Take()
		if strings.Count(got, "zwave 00000007_2 ") != 1 || !strings.Contains(got, "health degraded") || !strings.Contains(got, "it is the network that") {
			t.Errorf("got\n%s", got)
		}
	})
}

// TestTalkative: a node that sends every second is reported once a minute, and
// facts that age are reported again before they do.
func TestTalkative(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness()
		srv := &server{got: h.Line, version: aVersion, state: aState}
		srv.setUp(true)
		h.start(t, Config{URLs: []string{DefaultURL}}, srv)
		h.Take()
		for range 600 {
			srv.send(`{"type":"event","event":{"source":"node","event":"value updated","nodeId":2,"args":{"commandClass":99,"newValue":"4711"}}}`)
			time.Sleep(time.Second)
		}
		got := h.Take()
		if n := strings.Count(got, "zwave 00000007_2 "); n != 10 {
			t.Errorf("%d reports in ten minutes, want 10", n)
		}
		if strings.Contains(got, "4711") {
			t.Error("a door code was kept")
		}
		time.Sleep(refresh)
		if got := h.Take(); strings.Count(got, "zwave 00000007_2 ") != 1 || strings.Contains(got, "quiet") {
			t.Errorf("after %v:\n%s", refresh, got)
		}
	})
}
