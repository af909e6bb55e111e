package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shown is what is wanted of an entity. Of its attributes only those are looked
// at that are named.
type shown struct {
	domain, category, name, state, class string
	attr                                 map[string]any
}

// checkEntities compares all entities of a device of ours with what is wanted.
func checkEntities(t *testing.T, s *haSocket, device string, want map[string]shown) {
	t.Helper()
	row, ok := s.devices()[device]
	if !ok {
		t.Fatalf("Home Assistant has no device %s", device)
	}
	got := map[string]shown{}
	for key, e := range s.entities() {
		part, ok := strings.CutPrefix(key, device+"_")
		if !ok {
			continue
		}
		class, _ := e.Attr["device_class"].(string)
		domain, name, _ := strings.Cut(e.ID, ".")
		x := shown{domain: domain, category: e.Category, name: e.Name, state: e.State, class: class, attr: map[string]any{}}
		for a := range want[part].attr {
			x.attr[a] = e.Attr[a]
		}
		if len(x.attr) == 0 {
			x.attr = nil
		}
		got[part] = x
		if e.Platform != "mqtt" || e.Device != row.ID || name != "thingwarden_home_"+key {
			t.Errorf("%s: entity id %s, integration %q, device %q (want %q)", key, e.ID, e.Platform, e.Device, row.ID)
		}
		if friendly := row.Name + " " + e.Name; e.Attr["friendly_name"] != friendly {
			t.Errorf("%s: friendly name %q, want %q", key, e.Attr["friendly_name"], friendly)
		}
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(shown{})); d != "" {
		t.Errorf("entities of %s (-want +Home Assistant):\n%s", device, d)
	}
}

func hubEntities(state map[string]string) map[string]shown {
	out := map[string]shown{
		"worst":                {domain: "sensor", name: "Worst severity", class: "enum"},
		"score":                {domain: "sensor", name: "Security score", attr: map[string]any{"state_class": "measurement"}},
		"last_scan":            {domain: "sensor", category: "diagnostic", name: "Last scan", class: "timestamp"},
		"health":               {domain: "binary_sensor", category: "diagnostic", name: "Something is not watched", class: "problem"},
		"critical_open":        {domain: "binary_sensor", name: "Critical finding open", class: "safety"},
		"critical":             {domain: "sensor", name: "Critical findings"},
		"high":                 {domain: "sensor", name: "High findings"},
		"medium":               {domain: "sensor", category: "diagnostic", name: "Medium findings"},
		"low":                  {domain: "sensor", category: "diagnostic", name: "Low findings"},
		"info":                 {domain: "sensor", category: "diagnostic", name: "Info findings"},
		"zigbee_join_open":     {domain: "binary_sensor", category: "diagnostic", name: "Zigbee open for joining", class: "opening"},
		"zwave_inclusion_open": {domain: "binary_sensor", category: "diagnostic", name: "Z-Wave open for inclusion", class: "opening"},
		"matter_window_open":   {domain: "binary_sensor", category: "diagnostic", name: "Matter pairing window open", class: "opening"},
		"check":                {domain: "button", name: "Scan again"},
		"event_device": {domain: "event", name: "New device", attr: map[string]any{
			"event_types": []any{"device_appeared", "device_identified", "device_summary", "device_returned", "device_gone", "device_trusted"}}},
		"event_finding": {domain: "event", name: "Finding", attr: map[string]any{
			"event_types": []any{"finding_opened", "finding_worsened", "finding_resolved", "finding_accepted", "finding_expired"}}},
	}
	for key, s := range state {
		x := out[key]
		x.state = s
		out[key] = x
	}
	return out
}

func deviceEntities(problem, score, trusted string, attr map[string]any) map[string]shown {
	return map[string]shown{
		"problem": {domain: "binary_sensor", name: "Security problem", state: problem, class: "problem", attr: attr},
		"score":   {domain: "sensor", name: "Security score", state: score},
		"worst":   {domain: "sensor", name: "Worst finding", state: attr["severity"].(string), class: "enum"},
		"trusted": {domain: "switch", category: "config", name: "Trusted", state: trusted},
		"check":   {domain: "button", category: "config", name: "Check now", state: "unknown"},
	}
}

func (w *world) testEntities(t *testing.T) {
	s := w.ha.connect(t)
	camera, plug, clean := macID(w.camera), macID(w.plug), macID(w.clean)
	got := w.settled(s)

	want := hubEntities(map[string]string{
		"worst": "high", "score": "82", "health": "off", "critical_open": "off",
		"critical": "0", "high": "1", "medium": "0", "low": "1", "info": "0",
		"zigbee_join_open": "unknown", "zwave_inclusion_open": "unknown", "matter_window_open": "unknown",
		"check": "unknown", "event_device": "unknown",
		// These two are times.
		"last_scan": s.entities()["hub_last_scan"].State, "event_finding": got["hub_event_finding"].State,
	})
	checkEntities(t, s, "hub", want)
	for _, key := range []string{"hub_last_scan", "hub_event_finding"} {
		if state := s.entities()[key].State; !strings.HasPrefix(state, "20") {
			t.Errorf("%s is %q, want a time", key, state)
		}
	}

	finding := shown{domain: "binary_sensor", category: "diagnostic", state: "on", class: "problem"}
	telnet, homekit := finding, finding
	telnet.name = "Telnet log-in is open"
	telnet.attr = map[string]any{
		"policy": "telnet-open", "status": "open", "severity": "high", "confidence": "sure",
		"rules": []any{2.0, 4.0}, "standards": []any{"ETSI EN 303 645 5.6-5", "OWASP IoT 2018 I2"},
	}
	homekit.name = "Open for pairing with HomeKit"
	homekit.attr = map[string]any{"policy": "homekit-unpaired", "status": "open", "severity": "low"}

	entities := deviceEntities("on", "80", "off", map[string]any{
		"severity": "high", "critical": 0.0, "high": 1.0, "low": 0.0, "accepted": 0.0, "not_checked": 0.0, "reachable": true,
		"kind": "lan", "thingwarden_id": camera, "thingwarden_site": "home", "services": []any{"tcp/23 telnet"}})
	entities["telnet_open"] = telnet
	checkEntities(t, s, camera, entities)
	entities = deviceEntities("on", "98", "off", map[string]any{"severity": "low", "low": 1.0, "class": "plug"})
	entities["homekit_unpaired"] = homekit
	checkEntities(t, s, plug, entities)
	checkEntities(t, s, clean, deviceEntities("off", "100", "off", map[string]any{
		"severity": "none", "addresses": []any{w.clean.IP().String()}}))

	for _, key := range []string{camera + "_telnet_open", plug + "_homekit_unpaired"} {
		for _, a := range []string{"summary", "evidence", "remedy", "since"} {
			if text, _ := got[key].Attr[a].(string); text == "" {
				t.Errorf("%s has no %s: %v", key, a, got[key].Attr)
			}
		}
	}
	if e, _ := got[camera+"_telnet_open"].Attr["evidence"].(string); !strings.Contains(e, "port 23") {
		t.Errorf("evidence of Telnet %q, want the port in it", e)
	}
}

func (w *world) testDevices(t *testing.T) {
	s := w.ha.connect(t)
	got := s.devices()
	hub := got["hub"]
	if hub.Name != "Thingwarden" || hub.Manufacturer != "Thingwarden" || hub.Model != "Hub" || hub.Version == "" || hub.Via != "" {
		t.Errorf("our hub is %+v", hub)
	}
	const owner = "Icann IANA Department" // of the MACs, for want of a maker
	tests := []struct{ id, name, maker, model, mac string }{
		{macID(w.camera), "Espressif device 53:01", "", "", w.camera.MAC().String()},
		{macID(w.plug), "Plug", owner, "Lab plug", w.plug.MAC().String()},
		{macID(w.clean), owner + " device 53:04", owner, "", w.clean.MAC().String()},
	}
	for _, tt := range tests {
		d := got[tt.id]
		want := haDevice{ID: d.ID, Name: tt.name, Manufacturer: tt.maker, Model: tt.model, Via: hub.ID, Connections: [][]string{{"mac", tt.mac}},
			Identifiers: [][]string{{"mqtt", "thingwarden_home_" + tt.id}}}
		if diff := cmp.Diff(want, d); diff != "" {
			t.Errorf("device %s (-want +Home Assistant):\n%s", tt.id, diff)
		}
	}
	// Beside those there is only the one of the other integration.
	if len(got) != len(tests)+2 {
		t.Errorf("%d devices, want %d: %v", len(got), len(tests)+2, got)
	}
}

// testLinked shows that the camera is linked to the device that another
// integration has of it.
func (w *world) testLinked(t *testing.T) {
	s := w.ha.connect(t)
	got := s.devices()
	other := got[w.camera.MAC().String()]
	linked := func(id string) []string {
		var r struct {
			Linked []string `json:"linked_devices"`
		}
		s.call("config/device_registry/list_linked_devices", map[string]any{"device_id": id}).into(&r)
		return r.Linked
	}
	camera := got[macID(w.camera)].ID
	if l := linked(camera); !slices.Equal(l, []string{other.ID}) {
		t.Errorf("devices linked to the camera: %v, want %s", l, other.ID)
	}
	if l := linked(other.ID); !slices.Equal(l, []string{camera}) {
		t.Errorf("devices linked to the router's: %v, want %s", l, camera)
	}
	if l := linked(got[macID(w.plug)].ID); len(l) != 0 {
		t.Errorf("devices linked to the plug: %v, want none", l)
	}
}
