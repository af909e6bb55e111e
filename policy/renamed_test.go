package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

func TestOldIDsAreUnderstood(t *testing.T) {
	s := core(t)
	for _, old := range sortedKeys(renamed) {
		p := s.Policy(old)
		if p == nil {
			t.Errorf("%s: there is no policy %q", old, renamed[old])
			continue
		}
		if p.ID != renamed[old] || s.Current(old) != p.ID {
			t.Errorf("%s became %s, want %s", old, p.ID, renamed[old])
		}
	}
	if s.Policy("telnet-open").ID != "telnet-open" || s.Policy("no-such") != nil {
		t.Error("an id that was never renamed changed")
	}
}

func TestOldIDsInDisable(t *testing.T) {
	s, err := Load(Options{Disable: []string{"shelly-no-auth", "tasmota-no-password", "telnet-open"}}, Builtin()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"control-open", "shelly-no-auth", "telnet-open"} {
		if s.Policy(id) != nil {
			t.Errorf("%s is there", id)
		}
	}
	want := []string{
		`disable: policy "shelly-no-auth" is part of "control-open" now, which is disabled whole`,
		`disable: policy "tasmota-no-password" is part of "control-open" now, which is disabled whole`,
	}
	if d := cmp.Diff(want, s.Warnings()); d != "" {
		t.Error(d)
	}
}

// A pack that an owner wrote for 0.1.0 loads: its words and its ids.
func TestOldPackOfAnOwner(t *testing.T) {
	policy := func(id, severity string) string {
		return strings.NewReplacer("id: x", "id: "+id, "severity: low", "severity: "+severity,
			"when: device.ip_reachable", `when: device.ip_reachable && device.platform == "shelly"`,
			"{device.ip_reachable: true", "{device.platform: shelly, device.ip_reachable: true").Replace(good)
	}
	s, err := Load(Options{}, append(Builtin(), pack("mine", map[string]string{
		"rtsp-open.yaml": policy("rtsp-open", "info"), "shelly-no-auth.yaml": policy("shelly-no-auth", "info"),
	}))...)
	if err != nil {
		t.Fatal(err)
	}
	if p := s.Policy("camera-open"); p.Pack != "mine" || s.Policy("rtsp-open") != p {
		t.Errorf("camera-open is of pack %q, want the owner's", p.Pack)
	}
	if p := s.Policy("control-open"); p.Pack != "core" {
		t.Error("a policy for one product took the place of the one for all")
	}
	if p := s.Policy("shelly-no-auth"); p.Pack != "mine" || p.ID != "shelly-no-auth" {
		t.Errorf("shelly-no-auth is %s of pack %q", p.ID, p.Pack)
	}
	if len(s.Warnings()) != 2 {
		t.Errorf("warnings %q, want two", s.Warnings())
	}
	vs, _ := s.Evaluate(facts(map[string]any{"device.product": "shelly", "device.ip_reachable": true, "telnet.open": true}), noon)
	for _, v := range vs {
		if v.Policy.ID == "camera-open" && v.Result != Fail {
			t.Errorf("with device.platform of 0.1.0 the result is %s, want fail", v.Result)
		}
	}
}

// 0.1.0 let a policy wait for sources and probes by name; such a pack loads and waits.
func TestAfterOf010(t *testing.T) {
	old := strings.NewReplacer("require: \"!telnet.open\"", "require: known(\"telnet.port\")\nafter: [telnet]").Replace(good)
	old = old[:strings.Index(old, "examples:")] + `examples:
  - {facts: {device.ip_reachable: true, telnet.port: 23}, want: pass}
  - {facts: {device.ip_reachable: true}, finished: [telnet], want: fail}
  - {facts: {device.ip_reachable: true}, want: unknown}
  - {facts: {device.ip_reachable: false}, finished: [telnet], want: notapplicable}
`
	s, err := Load(Options{}, pack("mine", map[string]string{"x.yaml": old}))
	if err != nil {
		t.Fatalf("%v in\n%s", err, old)
	}
	if w := s.Warnings(); len(w) != 1 || !strings.Contains(w[0], `"telnet" is a source or probe`) {
		t.Errorf("warnings %q, want one on `after`", w)
	}
}

func TestAcceptancesOf010(t *testing.T) {
	s := core(t)
	accepted := memory{}
	l := NewLedger(s, accepted)
	at, until := noon.Add(-time.Hour), noon.Add(time.Hour)
	const shelly, page, router, updates = "mac_00005e005301", "mac_00005e005302", "mac_00005e005303", "mac_00005e005304"
	old := map[string]map[string]Acceptance{
		shelly: {
			"shelly-no-auth":      {Reason: "no door", At: at, Until: until, Severity: Medium},
			"tasmota-no-password": {Reason: "a lamp", At: at.Add(time.Minute), Severity: Medium},
		},
		page: {
			"web-admin-open":   {Reason: "shows only", At: at, Until: until, Severity: Medium},
			"esphome-web-open": {Reason: "a lamp", At: at.Add(time.Minute), Severity: Medium},
		},
		router: {"wan-port-mapping": {Reason: "web", At: at, Severity: High, Items: []string{
			`wan.open_ports=tcp 80 to 80, for good, "web"`, "wan.open_ports=udp 53 to 5353, for a time, only from 203.0.113.7", "wan.open_tcp=80",
		}}},
		updates: {"fw-shelly-update": {Reason: "later", At: at, Until: until, Severity: Medium}},
	}
	want := map[string]map[string]Acceptance{
		shelly: {"control-open": {Reason: "no door; a lamp", At: at, Severity: Medium}},
		page: {
			"settings-open":      {Reason: "shows only", At: at, Until: until, Severity: Medium},
			"page-controls-open": {Reason: "a lamp", At: at.Add(time.Minute), Severity: Medium},
		},
		router: {"wan-port-mapping": {Reason: "web", At: at, Severity: High, Items: []string{
			"wan.open_ports=tcp/80>80", "wan.open_ports=udp/53>5353 from 203.0.113.7", "wan.open_tcp=80",
		}}},
		updates: {"update-waiting": {Reason: "later", At: at, Until: until, Severity: Medium}},
	}
	got := map[string]map[string]Acceptance{}
	for device, of := range old {
		got[device] = s.RenewAcceptances(of)
		for id, a := range got[device] {
			accepted.SetAcceptance(device, id, a)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
	for device, seen := range map[string]map[string]any{
		shelly: {"control.open": true},
		page:   {"http.open": true, "http.title": nil, "http.settings_open": true},
		router: {"wan.open_ports": []string{"tcp/80>80"}, "wan.open_tcp": []string{"80"}},
	} {
		vs, _ := s.Evaluate(facts(seen), noon)
		l.Update(device, vs, false, noon)
		l.Update(device, vs, false, noon.Add(time.Minute)) // settings-open has to settle
		for _, f := range l.Findings(device) {
			if f.Status != Accepted {
				t.Errorf("%s: %s is %s, want accepted", device, f.Policy.ID, f.Status)
			}
		}
		if len(l.Findings(device)) == 0 {
			t.Errorf("%s: no finding", device)
		}
	}
	// As long as a source still writes sentences they count as the tokens.
	vs, _ := s.Evaluate(facts(map[string]any{"wan.open_ports": []string{`tcp 80 to 80, for good, "changed"`}, "wan.open_tcp": []string{"80"}}), noon)
	if l.Update(router, vs, false, noon); l.Findings(router)[0].Status != Accepted {
		t.Error("another text of the same mapping ended the acceptance")
	}
	vs, _ = s.Evaluate(facts(map[string]any{"wan.open_ports": []string{"tcp/81>80"}, "wan.open_tcp": []string{"80", "81"}}), noon)
	if l.Update(router, vs, false, noon); l.Findings(router)[0].Status != Open {
		t.Error("a new mapping is accepted")
	}
	if _, err := l.Unaccept(shelly, "shelly-no-auth", noon); err != nil {
		t.Error(err)
	}
	if _, err := l.Accept(shelly, "tasmota-no-password", Acceptance{At: noon}); err != nil {
		t.Error(err)
	}
}

// Two findings of 0.1.0 that are one now: the problem stays, since it began.
func TestRecordsOf010(t *testing.T) {
	l := NewLedger(core(t), memory{})
	early := noon.Add(-48 * time.Hour)
	l.Restore(LedgerState{"mac_00005e005301": {
		"web-admin-open":      {Status: Open, Severity: Medium, Since: early, Changed: early},
		"shelly-no-auth":      {Status: Open, Severity: High, Since: early, Changed: early},
		"tasmota-no-password": {Status: Resolved, Severity: Medium, Since: noon, Changed: noon},
		"no-such-policy":      {Status: Open, Severity: High, Since: early, Changed: early},
	}})
	type finding struct {
		ID         string
		Status     Status
		Severity   Severity
		Confidence Confidence
		Since      time.Time
	}
	var got []finding
	for _, f := range l.Findings("mac_00005e005301") {
		got = append(got, finding{f.Policy.ID, f.Status, f.Severity, f.Confidence(), f.Since})
	}
	want := []finding{{"control-open", Open, High, Sure, early}, {"settings-open", Open, Medium, Sure, early}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	vs, _ := l.set.Evaluate(facts(map[string]any{"control.open": true, "http.open": true, "http.settings_open": true, "device.class": "lock"}), noon)
	// One cause is one finding now: control-open speaks for the settings, too.
	changes, _ := l.Update("mac_00005e005301", vs, false, noon)
	if len(changes) != 1 || changes[0].Policy != "settings-open" || changes[0].Type != FindingResolved {
		t.Errorf("events %v of what was known before the upgrade", changes)
	}
}

func TestStepsOfAProduct(t *testing.T) {
	own := []string{"Open the Shelly app and set a password."}
	s, err := Load(Options{Steps: Steps{"shelly": {"control-open": own}}}, Builtin()...)
	if err != nil {
		t.Fatal(err)
	}
	remedy := func(seen map[string]any) string {
		t.Helper()
		l := NewLedger(s, memory{})
		vs, _ := s.Evaluate(facts(seen), noon)
		l.Update("x", vs, false, noon)
		f := l.Findings("x")
		if len(f) != 1 {
			t.Fatalf("%d findings", len(f))
		}
		return f[0].Remedy()
	}
	want := "1. Open the Shelly app and set a password.\n2. Press \"Check now\" to check again."
	if got := remedy(map[string]any{"control.open": true, fact.DeviceProduct.Name(): "shelly"}); got != want {
		t.Errorf("remedy\n%s\nwant\n%s", got, want)
	}
	if got := remedy(map[string]any{"control.open": true, fact.DeviceProduct.Name(): "other"}); got != s.Policy("control-open").Remedy {
		t.Errorf("the remedy of another product is\n%s", got)
	}
}
