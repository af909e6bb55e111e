package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"golang.org/x/sys/unix"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

const (
	haURL    = "http://127.0.0.1:8123"
	clientID = haURL + "/"

	brokerUser     = "thingwarden"
	brokerPassword = "test-broker"
)

const haConfiguration = `
homeassistant:
  name: Test home
  time_zone: UTC
  unit_system: metric
  country: DE
frontend:
config:
api:
websocket_api:
history:
logbook:
recorder:
logger:
  default: warning
automation:
script:
dhcp:
zeroconf:
ssdp:
network:
mobile_app:
`

// homeAssistant is a real Home Assistant on the hub.
type homeAssistant struct {
	t     *testing.T
	hub   *lab.Host
	start []string // command and arguments
	dir   string   // its configuration as we see it
	proc  *lab.Proc
	token string // long-lived
}

// startHomeAssistant starts a fresh Home Assistant, takes it through its
// onboarding, connects it to the broker, and restarts it once: what its
// onboarding logs is none of our business.
func startHomeAssistant(t *testing.T, hub *lab.Host, broker *lab.Mosquitto) *homeAssistant {
	t.Helper()
	ha := &homeAssistant{t: t, hub: hub}
	ha.install()
	ha.run()
	ha.onboard()
	ha.addMQTT(broker)
	ha.restart()
	return ha
}

// install finds the Home Assistant that install-homeassistant.sh put into the
// cache folder, and makes a configuration that it can see.
func (ha *homeAssistant) install() {
	cache, err := os.UserCacheDir()
	if err != nil {
		ha.t.Fatal(err)
	}
	ready, _ := filepath.Glob(filepath.Join(cache, "thingwarden-test", "homeassistant-*", "ready"))
	if len(ready) == 0 {
		lab.SkipOrFail(ha.t, "e2e", "Home Assistant is not installed: run agent/e2e/install-homeassistant.sh")
	}
	b, err := os.ReadFile(ready[len(ready)-1])
	if err != nil {
		ha.t.Fatal(err)
	}
	command := strings.Fields(string(b))
	root := ""
	if command[0] == "chroot" {
		root = command[1]
		// Only this test's own mount namespace sees it.
		if err := unix.Mount("proc", filepath.Join(root, "proc"), "proc", 0, ""); err != nil {
			ha.t.Fatalf("mounting /proc for Home Assistant: %v", err)
		}
		ha.t.Cleanup(func() { _ = unix.Unmount(filepath.Join(root, "proc"), unix.MNT_DETACH) })
	}
	if ha.dir, err = os.MkdirTemp(filepath.Join(root, os.TempDir()), "hass-"); err != nil {
		ha.t.Fatal(err)
	}
	ha.t.Cleanup(func() { os.RemoveAll(ha.dir) })
	if err := os.WriteFile(filepath.Join(ha.dir, "configuration.yaml"), []byte(haConfiguration), 0o600); err != nil {
		ha.t.Fatal(err)
	}
	ha.start = append(command, "--skip-pip", "-c", strings.TrimPrefix(ha.dir, root))
}

func (ha *homeAssistant) run() {
	ha.t.Helper()
	ha.proc = ha.hub.Start(ha.t, ha.start[0], ha.start[1:]...)
	lab.WaitFor(ha.t, 2*time.Minute, "Home Assistant's API", func() bool {
		r, err := http.Get(haURL + "/auth/providers")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK || r.StatusCode == http.StatusBadRequest // before onboarding
	})
}

// waitRunning waits until Home Assistant has started everything; before that it
// does not take a signal to end as one.
func (ha *homeAssistant) waitRunning() {
	ha.t.Helper()
	ws := ha.connect()
	defer ws.close()
	lab.WaitFor(ha.t, 2*time.Minute, "Home Assistant to run", func() bool {
		cfg, _ := ws.call("get_config", nil).v.(map[string]any)
		return cfg["state"] == "RUNNING"
	})
}

// restart ends Home Assistant and starts it again with the same configuration.
func (ha *homeAssistant) restart() {
	ha.t.Helper()
	ha.waitRunning()
	if err := ha.proc.Signal(syscall.SIGTERM); err != nil {
		ha.t.Fatal(err)
	}
	if err := ha.proc.Wait(time.Minute); err != nil {
		ha.t.Fatalf("stopping Home Assistant: %v", err)
	}
	if err := os.Remove(filepath.Join(ha.dir, "home-assistant.log")); err != nil && !os.IsNotExist(err) {
		ha.t.Fatal(err)
	}
	ha.run()
	ha.waitRunning()
}

// log is what it has logged since its last start: warnings and errors.
func (ha *homeAssistant) log() string { return ha.proc.Output() }

// post sends JSON, or a form, and decodes the answer.
func (ha *homeAssistant) post(path string, body any) map[string]any {
	ha.t.Helper()
	var r io.Reader
	kind := "application/json"
	if form, ok := body.(url.Values); ok {
		r, kind = strings.NewReader(form.Encode()), "application/x-www-form-urlencoded"
	} else {
		b, err := json.Marshal(body)
		if err != nil {
			ha.t.Fatal(err)
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequest(http.MethodPost, haURL+path, r)
	if err != nil {
		ha.t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	if ha.token != "" {
		req.Header.Set("Authorization", "Bearer "+ha.token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		ha.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		ha.t.Fatal(err)
	}
	if res.StatusCode >= 300 {
		ha.t.Fatalf("POST %s: %s: %s", path, res.Status, text)
	}
	var out map[string]any
	_ = json.Unmarshal(text, &out) // some answers are lists or empty
	return out
}

// onboard makes the owner's account and a long-lived token.
func (ha *homeAssistant) onboard() {
	ha.t.Helper()
	user := ha.post("/api/onboarding/users", map[string]any{
		"client_id": clientID, "name": "Owner", "username": "owner", "password": "test-owner", "language": "en"})
	tokens := ha.post("/auth/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {clientID}, "code": {fmt.Sprint(user["auth_code"])}})
	ha.token = fmt.Sprint(tokens["access_token"])
	ha.post("/api/onboarding/core_config", map[string]any{})
	ha.post("/api/onboarding/analytics", map[string]any{})
	ha.post("/api/onboarding/integration", map[string]any{"client_id": clientID, "redirect_uri": clientID})
	ws := ha.connect()
	defer ws.close()
	ha.token = ws.call("auth/long_lived_access_token", map[string]any{"client_name": "test", "lifespan": 1}).text()
}

// addMQTT goes through the dialogue that a user goes through.
func (ha *homeAssistant) addMQTT(broker *lab.Mosquitto) {
	ha.t.Helper()
	host, port, _ := strings.Cut(broker.Addr, ":")
	flow := ha.post("/api/config/config_entries/flow", map[string]any{"handler": "mqtt"})
	var number int
	fmt.Sscan(port, &number)
	done := ha.post("/api/config/config_entries/flow/"+fmt.Sprint(flow["flow_id"]), map[string]any{
		"broker": host, "port": number, "username": brokerUser, "password": brokerPassword,
		"other_settings": map[string]any{"set_client_cert": false, "set_ca_cert": "off", "transport": "tcp"}})
	if done["type"] != "create_entry" {
		ha.t.Fatalf("adding MQTT: %v", done)
	}
}

// haSocket is a session on Home Assistant's WebSocket.
type haSocket struct {
	t    *testing.T
	conn *websocket.Conn
	id   int
}

func (ha *homeAssistant) connect() *haSocket {
	ha.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, strings.Replace(haURL, "http", "ws", 1)+"/api/websocket", nil)
	if err != nil {
		ha.t.Fatal(err)
	}
	conn.SetReadLimit(64 << 20)
	s := &haSocket{t: ha.t, conn: conn}
	s.read(ctx) // auth_required
	if err := wsjson.Write(ctx, conn, map[string]any{"type": "auth", "access_token": ha.token}); err != nil {
		ha.t.Fatal(err)
	}
	if m := s.read(ctx); m["type"] != "auth_ok" {
		ha.t.Fatalf("log-in: %v", m)
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

func (s *haSocket) close() { s.conn.CloseNow() }

// result is the answer to a command.
type result struct{ v any }

func (r result) text() string { return fmt.Sprint(r.v) }

func (r result) list() []map[string]any {
	var out []map[string]any
	items, _ := r.v.([]any)
	for _, x := range items {
		if m, ok := x.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// call sends a command and returns its result.
func (s *haSocket) call(kind string, args map[string]any) result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s.id++
	msg := map[string]any{"id": s.id, "type": kind}
	for k, v := range args {
		msg[k] = v
	}
	if err := wsjson.Write(ctx, s.conn, msg); err != nil {
		s.t.Fatal(err)
	}
	for {
		m := s.read(ctx)
		if m["type"] != "result" || m["id"] != float64(s.id) {
			continue
		}
		if m["success"] != true {
			s.t.Fatalf("%s: %v", kind, m["error"])
		}
		return result{m["result"]}
	}
}

// states returns the states of all entities by entity id.
func (s *haSocket) states() map[string]map[string]any {
	s.t.Helper()
	out := map[string]map[string]any{}
	for _, m := range s.call("get_states", nil).list() {
		out[fmt.Sprint(m["entity_id"])] = m
	}
	return out
}

// waitState waits until an entity has a state, and returns it.
func (s *haSocket) waitState(timeout time.Duration, entity, want string) map[string]any {
	s.t.Helper()
	var last map[string]any
	deadline := time.Now().Add(timeout)
	for time.Now().Before(deadline) {
		if last = s.states()[entity]; last != nil && last["state"] == want {
			return last
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Fatalf("%s is %v after %v, want %q", entity, last, timeout, want)
	return nil
}
