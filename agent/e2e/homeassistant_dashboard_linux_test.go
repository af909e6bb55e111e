package e2e

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// dashboardPath is where the dashboard is in Home Assistant.
const dashboardPath = "thing-warden"

// addDashboard makes a dashboard of the file that users paste, and returns it.
func (ha *homeAssistant) addDashboard(t *testing.T) map[string]any {
	t.Helper()
	b, err := os.ReadFile("../../ha-addon/dashboards/thingwarden.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := yaml.Unmarshal(b, &config); err != nil {
		t.Fatal(err)
	}
	s := ha.connect(t)
	s.call("lovelace/dashboards/create", map[string]any{"url_path": dashboardPath, "title": "Thingwarden"})
	s.call("lovelace/config/save", map[string]any{"url_path": dashboardPath, "config": config})
	return config
}

// render has Home Assistant render a template.
func (ha *homeAssistant) render(t *testing.T, template string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, haURL+"/api/template", bytes.NewReader(mustJSON(t, map[string]string{"template": template})))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+ha.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%v %s: %s", err, res.Status, text)
	}
	return string(text)
}

// under returns all values that a configuration has under a key.
func under(key string, v any) (out []string) {
	switch v := v.(type) {
	case map[string]any:
		if s, ok := v[key].(string); ok {
			out = append(out, s)
		}
		for _, x := range v {
			out = append(out, under(key, x)...)
		}
	case []any:
		for _, x := range v {
			out = append(out, under(key, x)...)
		}
	}
	return out
}

// testDashboard shows that the dashboard names entities that there are, and what
// its texts are: also of an entity whose texts nobody has cleaned.
func (w *world) testDashboard(t *testing.T) {
	s := w.ha.connect(t)
	config := w.ha.addDashboard(t)
	there := map[string]bool{}
	for _, e := range s.entities() {
		there[e.ID] = true
	}
	printed, code := w.agent.cli("dashboard")
	var own map[string]any
	if err := yaml.Unmarshal([]byte(printed), &own); err != nil || code != 0 {
		t.Fatalf("thingwarden dashboard: exit code %d, %v", code, err)
	}
	s.call("lovelace/config/save", map[string]any{"url_path": dashboardPath, "config": own})
	named := append(under("entity", config), under("entity", own)...)
	for _, id := range named {
		if !there[id] {
			t.Errorf("the dashboard names %s, which is not there", id)
		}
	}
	if len(named) <= 2*len(under("entity", config)) {
		t.Errorf("the dashboard of this home shows no devices:\n%s", printed)
	}

	const evil = "<img src=x onerror=alert(1)> [x](javascript:alert(1)) {{ 7*7 }} http://evil.example"
	topic := "homeassistant/binary_sensor/evil/config"
	w.onlooker.publish("test/evil", string(mustJSON(t, map[string]string{"policy": "evil", "severity": "critical", "confidence": "sure",
		"since": evil, "summary": evil, "evidence": evil, "remedy": evil})), true)
	w.onlooker.publish("test/evil/state", "ON", true)
	w.onlooker.publish(topic, string(mustJSON(t, map[string]any{"unique_id": "evil", "name": evil, "state_topic": "test/evil/state",
		"json_attributes_topic": "test/evil", "device": map[string]any{"identifiers": []string{"evil"}, "name": evil}})), true)
	defer w.onlooker.publish(topic, "", true)

	render := func() string {
		var all strings.Builder
		for _, template := range under("content", config) {
			all.WriteString(w.ha.render(t, template) + "\n")
		}
		return all.String()
	}
	newcomer := s.devices()[macID(w.newcomer)]
	want := []string{
		"<b>Critical</b>", "x(javascript:alert(1))", "http: //evil.example",
		"<b>High</b>: Espressif device 53:01: Telnet log-in is open</summary>",
		"**Seen:** A Telnet log-in answers on TCP port 23", "- [" + newcomer.Name + "](/config/devices/device/" + newcomer.ID + "), since 20",
		"4 devices, 2 with a problem.",
	}
	var got string
	poll(10*time.Second, func() bool { got = render(); return strings.Contains(got, want[0]) })
	for _, text := range want {
		if !strings.Contains(got, text) {
			t.Errorf("the dashboard does not say %q:\n%s", text, got)
		}
	}
	for _, text := range []string{"<img", "](javascript", " 49 ", "http://evil"} {
		if strings.Contains(got, text) {
			t.Errorf("the dashboard says %q:\n%s", text, got)
		}
	}
}
