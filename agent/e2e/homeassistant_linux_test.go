package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

const (
	haURL    = "http://127.0.0.1:8123"
	clientID = haURL + "/"

	brokerUser     = "thingwarden"
	brokerPassword = "test-broker"

	// alertTopic is where Home Assistant's automation of the tests says that
	// there is a new device.
	alertTopic = "test/event/alert"
)

// haConfiguration has one automation, as a user would write it.
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
script:
dhcp:
zeroconf:
ssdp:
network:
mobile_app:
automation ui: !include automations.yaml
automation:
  - id: alert
    alias: Alert when a new device appears
    mode: queued
    triggers:
      - trigger: event.received
        target: {entity_id: event.thingwarden_home_hub_event_device}
        options: {event_type: [device_appeared]}
    actions:
      - action: mqtt.publish
        data:
          topic: ` + alertTopic + `
          payload: '{"event_type": "alert", "device": "{{ trigger.to_state.attributes.device }}"}'
`

// homeAssistant is a real Home Assistant on the hub.
type homeAssistant struct {
	t     testing.TB // for whose time it runs
	hub   *lab.Host
	start []string // command and arguments
	dir   string   // its configuration as we see it
	proc  *lab.Proc
	token string // long-lived

	sockets []*haSocket
}

// startHomeAssistant starts a fresh Home Assistant, takes it through its
// onboarding, connects it to the broker, and restarts it once: what its
// onboarding logs is none of our business. It knows the device with the given
// MAC address by another integration.
func startHomeAssistant(t testing.TB, hub *lab.Host, broker *lab.Mosquitto, mac string) *homeAssistant {
	t.Helper()
	ha := &homeAssistant{t: t, hub: hub}
	ha.install(mac)
	ha.run()
	ha.onboard()
	ha.addMQTT(broker)
	ha.post("/api/config/config_entries/flow", map[string]any{"handler": "labrouter"})
	ha.stop(t)
	ha.run()
	ha.waitRunning(t)
	return ha
}

// install finds the Home Assistant that install-homeassistant.sh has installed,
// and makes a configuration that it can see.
func (ha *homeAssistant) install(mac string) {
	cache, err := os.UserCacheDir()
	if err != nil {
		ha.t.Fatal(err)
	}
	var ready []string
	for _, dir := range []string{"/var/cache", cache} {
		found, _ := filepath.Glob(filepath.Join(dir, "thingwarden-test", "homeassistant-*", "ready"))
		ready = append(ready, found...)
	}
	if len(ready) == 0 {
		lab.SkipOrFail(ha.t, "e2e", "Home Assistant is not installed: run agent/e2e/install-homeassistant.sh")
	}
	b, err := os.ReadFile(ready[0])
	if err != nil {
		ha.t.Fatal(err)
	}
	command := strings.Fields(string(b))
	root := ""
	if command[0] == "chroot" {
		root = command[1]
		// Only this test's own mount namespace sees it.
		proc := filepath.Join(root, "proc")
		if err := unix.Mount("/proc", proc, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			ha.t.Fatalf("mounting /proc for Home Assistant: %v", err)
		}
		ha.t.Cleanup(func() { _ = unix.Unmount(proc, unix.MNT_DETACH) })
	}
	if ha.dir, err = os.MkdirTemp(filepath.Join(root, "tmp"), "hass-"); err != nil {
		ha.t.Fatal(err)
	}
	ha.t.Cleanup(func() { os.RemoveAll(ha.dir) })
	if err := os.CopyFS(ha.dir, os.DirFS("testdata/homeassistant")); err != nil {
		ha.t.Fatal(err)
	}
	for name, text := range map[string]string{"configuration.yaml": haConfiguration, "automations.yaml": "[]", "labrouter.txt": mac} {
		if err := os.WriteFile(filepath.Join(ha.dir, name), []byte(text), 0o600); err != nil {
			ha.t.Fatal(err)
		}
	}
	ha.start = append(command, "--skip-pip", "-c", strings.TrimPrefix(ha.dir, root))
}

// run starts Home Assistant and waits for its API.
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
func (ha *homeAssistant) waitRunning(t testing.TB) {
	t.Helper()
	ws := ha.connect(t)
	lab.WaitFor(t, 2*time.Minute, "Home Assistant to run", func() bool {
		cfg, _ := ws.call("get_config", nil).v.(map[string]any)
		return cfg["state"] == "RUNNING"
	})
}

func (ha *homeAssistant) stop(t testing.TB) {
	t.Helper()
	ha.waitRunning(t)
	// It waits ten seconds for each that is still there.
	for _, s := range ha.sockets {
		_ = s.conn.CloseNow()
	}
	ha.sockets = nil
	if err := ha.proc.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := ha.proc.Wait(time.Minute); err != nil {
		t.Fatalf("stopping Home Assistant: %v", err)
	}
}

// restart ends Home Assistant and starts it again with the same configuration.
func (ha *homeAssistant) restart(t testing.TB) {
	t.Helper()
	ha.stop(t)
	ha.checkLog(t)
	ha.run()
	ha.waitRunning(t)
}

// own are warnings and errors that Home Assistant logs without our doing.
var own = []*regexp.Regexp{
	regexp.MustCompile(`Skipping pip installation of required modules`), // it has all that it needs
	regexp.MustCompile(`We found a custom integration labrouter`),       // the tests' own
	regexp.MustCompile(`zlib_ng and isal are not available`),            // slower, no more
	regexp.MustCompile(`\[pyroute2\.netlink\.rtnl\.tcmsg\.common\]`),    // a namespace has no traffic control
	regexp.MustCompile(`\[haffmpeg\.`),                                  // not installed, not needed
	// There is no way to the Internet.
	regexp.MustCompile(`\[async_upnp_client\.ssdp\] Received error: \[Errno 101\]`),
	regexp.MustCompile(`Error setting up entry Google Translate`),
	// It discovers the lab's HomeKit accessory too, and cannot add it.
	regexp.MustCompile(`No module named 'aiohomekit'`),
	// It clears the topic of a device that its user deletes, once for each entity,
	// and then wonders at it.
	regexp.MustCompile(`No device components to cleanup for thingwarden_home_`),
	// To the user who deletes an entity.
	regexp.MustCompile(`Although entity \S+ was removed from Home Assistant, it will be added again`),
	// The tests stop the broker.
	regexp.MustCompile(`\[paho\.mqtt\.client\] failed to receive on socket`),
	regexp.MustCompile(`\[homeassistant\.components\.mqtt\.client\] (Disconnected from|Failed to connect to|Error returned from) MQTT server`),
	regexp.MustCompile(`(?s)_async_resubscribe_and_publish_birth_message.*The client is not currently connected`),
}

var logRecord = regexp.MustCompile(`(?m)^(\x1b\[\d+m)?\d{4}-\d\d-\d\d .* (WARNING|ERROR|CRITICAL) `)

// checkLog fails the test if Home Assistant has logged a warning or an error
// since its last start that is not one of its own.
func (ha *homeAssistant) checkLog(t testing.TB) {
	t.Helper()
	log := ha.proc.Output()
	starts := logRecord.FindAllStringIndex(log, -1)
	for i, at := range starts {
		end := len(log)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		record := log[at[0]:end]
		if !slices.ContainsFunc(own, func(r *regexp.Regexp) bool { return r.MatchString(record) }) {
			t.Errorf("Home Assistant's log: %s", record)
		}
	}
}

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
	ha.token = ha.connect(ha.t).call("auth/long_lived_access_token", map[string]any{"client_name": "test", "lifespan": 1}).text()
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
