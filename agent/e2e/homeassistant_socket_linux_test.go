package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// haSocket is a session on Home Assistant's WebSocket, as its web page has one.
type haSocket struct {
	t    testing.TB
	conn *websocket.Conn
	id   int
}

// connect logs in, until the test ends.
func (ha *homeAssistant) connect(t testing.TB) *haSocket {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, strings.Replace(haURL, "http", "ws", 1)+"/api/websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(64 << 20)
	s := &haSocket{t: t, conn: conn}
	ha.sockets = append(ha.sockets, s)
	t.Cleanup(func() { _ = conn.CloseNow() })
	s.read(ctx) // auth_required
	if err := wsjson.Write(ctx, conn, map[string]any{"type": "auth", "access_token": ha.token}); err != nil {
		t.Fatal(err)
	}
	if m := s.read(ctx); m["type"] != "auth_ok" {
		t.Fatalf("log-in: %v", m)
	}
	return s
}

func (s *haSocket) read(ctx context.Context) map[string]any {
	s.t.Helper()
	var m map[string]any
	if err := wsjson.Read(ctx, s.conn, &m); err != nil {
		s.t.Fatalf("reading from Home Assistant: %v", err)
	}
	return m
}

// result is the answer to a command.
type result struct {
	t testing.TB
	v any
}

func (r result) text() string { return fmt.Sprint(r.v) }

// into decodes the answer.
func (r result) into(v any) {
	r.t.Helper()
	b, err := json.Marshal(r.v)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		r.t.Fatalf("%v: %v", r.v, err)
	}
}

// call sends a command and returns its result.
func (s *haSocket) call(kind string, args map[string]any) result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s.id++
	msg := map[string]any{"id": s.id, "type": kind}
	maps.Copy(msg, args)
	if err := wsjson.Write(ctx, s.conn, msg); err != nil {
		s.t.Fatal(err)
	}
	for {
		m := s.read(ctx)
		if m["type"] != "result" || m["id"] != float64(s.id) {
			continue
		}
		if m["success"] != true {
			s.t.Fatalf("%s %v: %v", kind, args, m["error"])
		}
		return result{s.t, m["result"]}
	}
}

// action does what a tap on a button or a line of an automation does.
func (s *haSocket) action(name string, data map[string]any) {
	s.t.Helper()
	domain, service, _ := strings.Cut(name, ".")
	s.call("call_service", map[string]any{"domain": domain, "service": service, "service_data": data})
}

// entity is one of our entities as Home Assistant has it.
type entity struct {
	ID       string // such as binary_sensor.lamp
	Device   string // Home Assistant's own id of it
	Platform string // the integration
	Category string
	Name     string // without the device's
	State    string
	Attr     map[string]any
}

// entities returns our entities by their unique_id without "thingwarden_home_".
func (s *haSocket) entities() map[string]entity {
	s.t.Helper()
	var rows []struct {
		ID       string `json:"entity_id"`
		UniqueID string `json:"unique_id"`
		Device   string `json:"device_id"`
		Platform string `json:"platform"`
		Category string `json:"entity_category"`
		Name     string `json:"original_name"`
	}
	s.call("config/entity_registry/list", nil).into(&rows)
	var states []struct {
		ID    string         `json:"entity_id"`
		State string         `json:"state"`
		Attr  map[string]any `json:"attributes"`
	}
	s.call("get_states", nil).into(&states)
	out := map[string]entity{}
	for _, r := range rows {
		key, ok := strings.CutPrefix(r.UniqueID, "thingwarden_home_")
		if !ok {
			continue
		}
		e := entity{ID: r.ID, Device: r.Device, Platform: r.Platform, Category: r.Category, Name: r.Name}
		for _, x := range states {
			if x.ID == r.ID {
				e.State, e.Attr = x.State, x.Attr
			}
		}
		out[key] = e
	}
	return out
}

// haDevice is a device as Home Assistant has it.
type haDevice struct {
	ID           string     `json:"id"`
	Name         string     `json:"name"`
	Manufacturer string     `json:"manufacturer"`
	Model        string     `json:"model"`
	Version      string     `json:"sw_version"`
	Via          string     `json:"via_device_id"`
	Identifiers  [][]string `json:"identifiers"`
	Connections  [][]string `json:"connections"`
}

// devices returns our devices by their identifier without "thingwarden_home_",
// and those of the tests' own integration by their MAC address.
func (s *haSocket) devices() map[string]haDevice {
	s.t.Helper()
	var rows []haDevice
	s.call("config/device_registry/list", nil).into(&rows)
	out := map[string]haDevice{}
	for _, r := range rows {
		for _, id := range r.Identifiers {
			if key, ok := strings.CutPrefix(id[1], "thingwarden_home_"); ok && id[0] == "mqtt" {
				out[key] = r
			} else if id[0] == "labrouter" {
				out[id[1]] = r
			}
		}
	}
	return out
}

// wait waits until an entity is as wanted, and returns it.
func (s *haSocket) wait(timeout time.Duration, key, what string, ok func(entity) bool) entity {
	s.t.Helper()
	deadline := time.Now().Add(timeout)
	for {
		e, is := s.entities()[key]
		if is && ok(e) {
			return e
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s is not %s within %v; Home Assistant shows %+v", key, what, timeout, e)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// waitState waits until an entity has a state, and returns it.
func (s *haSocket) waitState(timeout time.Duration, key, want string) entity {
	s.t.Helper()
	return s.wait(timeout, key, want, func(e entity) bool { return e.State == want })
}
