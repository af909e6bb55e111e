package hass

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/policy"
)

var update = flag.Bool("update", false, "write the golden files anew")

func discoverySchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile("testdata/discovery.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// validate checks a configuration against the closed schema of Home Assistant's
// discovery, and what a schema cannot say.
func validate(t testing.TB, s *jsonschema.Schema, payload []byte) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("%v\n%s", err, payload)
	}
	if bytes.Contains(payload, []byte("null")) {
		t.Errorf("null in a configuration: %s", payload)
	}
	if len(payload) > 64<<10 {
		t.Errorf("configuration of %d bytes", len(payload))
	}
	var c config
	if err := json.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	for key, x := range c.Components {
		if x.UniqueID != "" && (x.UniqueID != c.Device.Identifiers[0]+"_"+key || x.DefaultEntityID != x.Platform+"."+x.UniqueID) {
			t.Errorf("component %q has unique_id %q and default_entity_id %q", key, x.UniqueID, x.DefaultEntityID)
		}
		if strings.HasPrefix(x.Name, c.Device.Name) {
			t.Errorf("the name of component %q begins with the device's: %q", key, x.Name)
		}
	}
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	path := "testdata/" + file
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (run with -update to accept):\n%s", file, d)
	}
}

func write(b *bytes.Buffer, m message) {
	fmt.Fprintf(b, "-- %s --\n", m.topic)
	if json.Indent(b, m.payload, "", " ") != nil {
		b.Write(m.payload)
	}
	b.WriteByte('\n')
}

func TestMessages(t *testing.T) {
	s := snapshot()
	var b bytes.Buffer
	for _, d := range messages(s, testOptions(), nil) {
		write(&b, d.config)
		for _, m := range d.states {
			write(&b, m)
		}
	}
	n := names{"home", "homeassistant"}
	for _, e := range s.Events {
		write(&b, n.eventMessage(s, e))
	}
	golden(t, "home.golden", b.Bytes())
}

func TestConfigurationsFitTheClosedSchema(t *testing.T) {
	schema := discoverySchema(t)
	empty := snapshot()
	empty.Devices = nil
	inApp := testOptions()
	inApp.Page = "homeassistant://app/a0d7b954_thingwarden"
	atAddress := testOptions()
	atAddress.Page = "https://things.example.org/warden/"
	for _, s := range []struct {
		name string
		in   []deviceMessages
	}{
		{"home", messages(snapshot(), testOptions(), nil)},
		{"hub deleted", messages(snapshot(), testOptions(), map[discovery.ID]bool{discovery.Hub: true})},
		{"nothing", messages(empty, testOptions(), nil)},
		{"in the app", messages(snapshot(), inApp, nil)},
		{"page at an address", messages(snapshot(), atAddress, nil)},
	} {
		t.Run(s.name, func(t *testing.T) {
			for _, d := range s.in {
				validate(t, schema, d.config.payload)
				validate(t, schema, d.without(map[string]string{"old_policy": "binary_sensor"}))
			}
		})
	}
}

// Home Assistant's "Visit" leads to the page of the device itself, where the page has
// an address of its own.
func TestLinksToThePage(t *testing.T) {
	for _, tt := range []struct{ page, hub, device string }{
		{"", "", ""},
		{"homeassistant://app/a0d7b954_thingwarden", "homeassistant://app/a0d7b954_thingwarden", ""},
		{"https://things.example.org/warden/", "https://things.example.org/warden/", "https://things.example.org/warden/device/%s"},
		{"http://hub:8686", "http://hub:8686", "http://hub:8686/device/%s"},
	} {
		o := testOptions()
		o.Page = tt.page
		for _, m := range messages(snapshot(), o, nil) {
			want := tt.hub
			if m.id != discovery.Hub {
				want = strings.ReplaceAll(tt.device, "%s", string(m.id))
			}
			if got := m.content.Device.ConfigurationURL; got != want {
				t.Errorf("page %q, device %s: link %q, want %q", tt.page, m.id, got, want)
			}
		}
	}
}

func TestTheSchemaIsClosed(t *testing.T) {
	schema := discoverySchema(t)
	good := messages(snapshot(), testOptions(), nil)[0].config.payload
	for _, tt := range []struct{ name, old, new string }{
		{"root", `"qos":1`, `"qos":1,"~":"x"`},
		{"device", `"model":"Hub"`, `"model":"Hub","labels":[]`},
		{"component", `"platform":"event"`, `"platform":"event","expire_afer":1`},
		{"null", `"device_class":"safety"`, `"device_class":null`},
		{"class", `"device_class":"safety"`, `"device_class":"danger"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, err := jsonschema.UnmarshalJSON(strings.NewReader(strings.Replace(string(good), tt.old, tt.new, 1)))
			if err != nil {
				t.Fatal(err)
			}
			if schema.Validate(v) == nil {
				t.Error("was taken")
			}
		})
	}
}

func TestMessagesAreStable(t *testing.T) {
	a, b := messages(snapshot(), testOptions(), nil), messages(snapshot(), testOptions(), nil)
	for i := range a {
		if !bytes.Equal(a[i].config.payload, b[i].config.payload) || !cmp.Equal(a[i].states, b[i].states, cmp.AllowUnexported(message{})) {
			t.Errorf("device %s differs", a[i].id)
		}
	}
}

// TestQuietSnapshots says what must not change a byte: else Home Assistant's
// recorder fills up, and a configuration sent again brings back what the owner
// deleted.
func TestQuietSnapshots(t *testing.T) {
	before := messages(snapshot(), testOptions(), nil)
	s := snapshot()
	s.At = s.At.Add(time.Hour)
	for i := range s.Devices {
		d := &s.Devices[i]
		d.LastSeen = d.LastSeen.Add(time.Hour)
		d.Sent.Packets += 100
		for j := range d.Findings {
			if d.Findings[j].Status != policy.Resolved { // it says when, which moves only with the status
				d.Findings[j].Changed = d.Findings[j].Changed.Add(time.Hour)
			}
		}
	}
	if d := cmp.Diff(texts(before), texts(messages(s, testOptions(), nil))); d != "" {
		t.Error(d)
	}
}

func texts(ds []deviceMessages) map[string]string {
	out := map[string]string{}
	for _, d := range ds {
		for _, m := range append(d.states, d.config) {
			out[m.topic] = string(m.payload)
		}
	}
	return out
}

func TestAStateChangesNoConfiguration(t *testing.T) {
	before := messages(snapshot(), testOptions(), nil)
	s := snapshot()
	s.Version = "0.2.0"
	s.LastScan = noon
	for i := range s.Devices {
		d := &s.Devices[i]
		d.Trusted, d.Online, d.Checked = !d.Trusted, !d.Online, d.Checked+1
		for j := range d.Findings {
			d.Findings[j].Status = policy.Resolved
			if d.Findings[j].Severity > policy.Info { // one that only informs has no entity
				d.Findings[j].Severity = policy.Low
			}
		}
	}
	after := messages(s, testOptions(), nil)
	for i := range before {
		if before[i].id != discovery.Hub && !bytes.Equal(before[i].config.payload, after[i].config.payload) {
			t.Errorf("configuration of %s changed:\n%s", before[i].id, cmp.Diff(string(before[i].config.payload), string(after[i].config.payload)))
		}
	}
}

func TestFindingStates(t *testing.T) {
	for status, want := range map[policy.Status]string{
		policy.Open: "ON", policy.Stale: "ON", policy.Away: "ON",
		policy.Accepted: "OFF", policy.Resolved: "OFF", policy.Lapsed: "None",
	} {
		t.Run(string(status), func(t *testing.T) {
			m := names{"home", "p"}.findingMessage("hub", finding(telnetOpen, status, policy.High))
			var got findingState
			if err := json.Unmarshal(m.payload, &got); err != nil {
				t.Fatal(err)
			}
			if got.State != want || got.Attr.Status != string(status) {
				t.Errorf("state %q, status %q", got.State, got.Attr.Status)
			}
		})
	}
}

// TestHostileTexts is about threats T6, T7, T8 and T20 of the catalogue.
func TestHostileTexts(t *testing.T) {
	topic := regexp.MustCompile(`^[a-z0-9_/-]+$`)
	for _, d := range messages(snapshot(), testOptions(), nil) {
		for _, m := range append(d.states, d.config) {
			if !topic.MatchString(m.topic) || len(m.topic) > 200 {
				t.Errorf("topic %q", m.topic)
			}
			if d.id != "mac_020000000001" {
				continue
			}
			if bytes.ContainsAny(m.payload, "\x00\x1b\u202e") || bytes.Contains(m.payload, []byte("://evil")) || bytes.Contains(m.payload, []byte("www.evil")) {
				t.Errorf("%s: %s", m.topic, m.payload)
			}
			if strings.HasSuffix(m.topic, "/state") && bytes.ContainsAny(m.payload, "<>") {
				t.Errorf("%s: %s", m.topic, m.payload)
			}
			if len(m.payload) > 16000 && m.topic != d.config.topic {
				t.Errorf("%s has %d bytes", m.topic, len(m.payload))
			}
		}
		if d.id == "mac_020000000001" {
			if want := "a #+ 31m 7 7 x img src x onerror alert(1) y (http:"; d.content.Device.Name != want {
				t.Errorf("name %q, want %q", d.content.Device.Name, want)
			}
		}
	}
}

func TestManyNotCheckedStillFit(t *testing.T) {
	s := snapshot()
	d := &s.Devices[2]
	for range 300 {
		long := finding(hostile, policy.Open, policy.Info, strings.Repeat("\"", 600))
		d.Findings, s.Devices[0].Findings = append(d.Findings, long), append(s.Devices[0].Findings, long)
		d.NotChecked = append(d.NotChecked, d.NotChecked[0])
		d.Services = append(d.Services, discovery.Service{Proto: "tcp", Port: 65535, Name: strings.Repeat("x", 300)})
	}
	for range 400 {
		s.Health = append(s.Health, s.Health[1])
		s.Health[len(s.Health)-1].Name = strings.Repeat("é", len(s.Health))
		s.Health[len(s.Health)-1].Error = strings.Repeat("é", 400)
	}
	for _, d := range messages(s, testOptions(), nil) {
		for _, m := range d.states {
			if len(m.payload) > maxAttributes {
				t.Errorf("%s has %d bytes", m.topic, len(m.payload))
			}
		}
	}
}

func TestDeviceNames(t *testing.T) {
	got := map[discovery.ID]string{}
	for _, d := range messages(snapshot(), testOptions(), nil) {
		got[d.id] = d.content.Device.Name
	}
	delete(got, "mac_020000000001")
	want := map[discovery.ID]string{
		"hub": "Thingwarden", "ip_192_0_2_99": "Unknown device 192.0.2.99", "mac_ecfabc001122": "Porch camera",
		"mac_240ac4004f2a": "Espressif device 4F:2A", "zigbee_00158d0001a2b3c4": "Front door lock", "zwave_c0ffee01_12": "Z-Wave lock 12",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestName(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "Porch camera", "Porch camera"},
		{"other scripts", "Küche 台所 кухня", "Küche 台所 кухня"},
		{"Jinja", "{{ states('x') }}{% if %}", "states('x') if"},
		{"HTML", "<a href=x>b</a>", "a href x b a"},
		{"Markdown", "![x](http://e.example) **b** `c`", "x (http: e.example) b c"},
		{"spreadsheet", "=cmd+1", "cmd+1"},
		{"MQTT", "a/+/#", "a + #"},
		{"only signs", "{}<>", ""},
		{"mention", "x@y", "x y"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := name(tt.in, maxName); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPolicyIDs(t *testing.T) {
	for _, tt := range []struct{ in, topic, key string }{
		{"telnet-open", "telnet-open", "telnet_open"},
		{"score", "score", "policy_score"},
		{"state", "policy-", ""},
		{"a/b", "policy-", ""},
	} {
		if got := policyTopic(tt.in); !strings.HasPrefix(got, tt.topic) || !policyForm.MatchString(got) {
			t.Errorf("topic of %q is %q", tt.in, got)
		}
		if got := policyKey(tt.in); tt.key != "" && got != tt.key {
			t.Errorf("key of %q is %q, want %q", tt.in, got, tt.key)
		}
	}
}

func TestNothingCheckedIsNotWell(t *testing.T) {
	s := snapshot()
	s.Devices = s.Devices[:1]
	s.Devices[0].Findings, s.Devices[0].Checked = nil, 0
	s.Blind = "Only container networks can be seen."
	var got hubState
	if err := json.Unmarshal(messages(s, testOptions(), nil)[0].states[0].payload, &got); err != nil {
		t.Fatal(err)
	}
	if got.Score != nil || got.Worst != "None" || got.CriticalOpen != "None" || got.Health != "ON" || got.HealthDetails.Severity != "critical" {
		t.Errorf("got %+v", got)
	}
}

// TestLastScan: its time is shown at most once an hour.
func TestLastScan(t *testing.T) {
	c := drawings{}
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	for _, tt := range []struct{ scan, want time.Time }{
		{time.Time{}, time.Time{}}, {at(0), at(0)}, {at(1), at(0)}, {at(59), at(0)}, {at(60), at(60)}, {at(119), at(60)},
		{at(-60), at(-60)}, // the clock was set
	} {
		s := snapshot()
		s.LastScan = tt.scan
		var got hubState
		if err := json.Unmarshal(c.messages(s, testOptions(), nil)[0].states[0].payload, &got); err != nil {
			t.Fatal(err)
		}
		if want := stamp(tt.want); got.LastScan == nil && want != "" || got.LastScan != nil && *got.LastScan != want {
			t.Errorf("scanned at %v: shown %v, want %q", tt.scan, got.LastScan, want)
		}
	}
}
