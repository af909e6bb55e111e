package agent

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/agent/hass"
	"github.com/thingwarden/thingwarden/agent/home"
	"github.com/thingwarden/thingwarden/agent/offline"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/agent/store"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/builtin"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/product"
	"github.com/thingwarden/thingwarden/policy"
)

// TestUpgrade: what 0.1.0 left on the disk is read whole by this version. The
// files in testdata/state-v1 were written by it, and never change: a new format
// gets a folder of its own. (A device that is gone, a hidden one and a list of
// items in an acceptance were added by hand.)
func TestUpgrade(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "state-v1"))); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	later := time.Date(2026, 11, 23, 5, 29, 0, 0, time.UTC) // events are kept for ten minutes
	dec, err := store.ReadDecisions(dir, later)
	if err != nil {
		t.Fatal(err)
	}
	st, notice, err := s.ReadState(later)
	if err != nil || notice != "" {
		t.Fatalf("error %v, notice %q", err, notice)
	}

	want := fields(t, store.DecisionsFile)
	want.(map[string]any)["version"] = 2.0
	if d := cmp.Diff(want, decoded(t, mustJSON(t, dec))); d != "" {
		t.Errorf("%s is not kept whole:\n%s", store.DecisionsFile, d)
	}
	if d := cmp.Diff(fields(t, store.StateFile), decoded(t, mustJSON(t, st))); d != "" {
		t.Errorf("%s is not kept whole:\n%s", store.StateFile, d)
	}

	h := homeOf(t, dec, st, later)
	checkUpgraded(t, h.Snapshot(later))
	// In the format of today.
	for name, v := range map[string]any{store.DecisionsFile: h.Decisions(), store.StateFile: h.State(later)} {
		if err := s.Write(name, mustJSON(t, v)); err != nil {
			t.Fatal(err)
		}
	}
	if dec, err = store.ReadDecisions(dir, later); err != nil {
		t.Fatal(err)
	}
	now, err := store.ReadState(dir)
	if err != nil {
		t.Fatal(err)
	}
	checkUpgraded(t, homeOf(t, dec, now, later).Snapshot(later))

	var m hass.Memory
	if err := json.Unmarshal(st.Publisher["hass"], &m); err != nil {
		t.Fatal(err)
	}
	if len(m.Published) != 11 || m.Event == 0 {
		t.Errorf("%d devices in Home Assistant up to event %d; want 11 and the last event", len(m.Published), m.Event)
	}
}

// TestUpgradeOfPolicyIDs: what was accepted under ids of 0.1.0 that named a product,
// and as sentences about port mappings, stays accepted under those of today. The
// files in testdata/state-v1-ids were written by the code of 0.1.0, and never change.
func TestUpgradeOfPolicyIDs(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "state-v1-ids"))); err != nil {
		t.Fatal(err)
	}
	later := time.Date(2026, 11, 23, 12, 5, 0, 0, time.UTC)
	dec, err := store.ReadDecisions(dir, later)
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.ReadState(dir)
	if err != nil {
		t.Fatal(err)
	}
	h := homeOf(t, dec, st, later)
	events := len(h.State(later).Events)
	check := func(when string) {
		t.Helper()
		got := map[string]policy.Status{}
		for _, d := range h.Snapshot(later).Devices {
			for _, f := range d.Findings {
				if f.Policy.ID != "new-device" {
					got[string(d.ID)+" "+f.Policy.ID] = f.Status
				}
			}
		}
		want := map[string]policy.Status{
			"mac_000c43000001 control-open": policy.Accepted, "mac_000c43000002 page-controls-open": policy.Accepted,
			"mac_000c43000002 settings-open": policy.Resolved, // the one cause has one finding now
			"mac_000c43000003 camera-open":   policy.Open, "mac_000c43000003 wan-port-mapping": policy.Accepted,
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", when, d)
		}
		if n := len(h.State(later).Events); n != events {
			t.Errorf("%s: %d events, want the %d of before and no more", when, n, events)
		}
	}
	check("as the files tell")
	// What was seen before is seen again, the port mappings as tokens.
	for mac, set := range map[string]func(*fact.Evidence){
		"000c43000001": func(e *fact.Evidence) { fact.ControlOpen.Set(e, true, "/shelly: auth_en=false") },
		"000c43000002": func(e *fact.Evidence) {
			fact.HTTPControlsOpen.Set(e, true, "tcp/80: 200")
			fact.HTTPOpen.Set(e, true, "tcp/80: 200")
			fact.HTTPSettingsOpen.SetLikely(e, true, "tcp/80: 200 <form>")
		},
		"000c43000003": func(e *fact.Evidence) {
			fact.RTSPOpen.Set(e, true, "tcp/554: 200")
			fact.RTSPPictureOpen.Set(e, true, "tcp/554: m=video")
			fact.WANOpenPorts.Set(e, []string{"tcp/80>80", "udp/5000>5001 from 203.0.113.7"}, "index 0")
			fact.WANOpenTCP.Set(e, []string{"80"}, "index 0")
		},
	} {
		id, ok := discovery.MAC(mac)
		if !ok {
			t.Fatal(mac)
		}
		e := fact.New("test", later)
		fact.DeviceKind.Set(e, "lan", "")
		fact.DeviceReachable.Set(e, true, "")
		set(e)
		h.Apply(home.Observation{Observation: discovery.Observation{By: "test", At: later, About: []discovery.Identifier{id}, Facts: e}}, later)
	}
	h.Apply(home.Tick{}, later)
	check("seen again")
}

// homeOf is the home that these files describe.
func homeOf(t *testing.T, dec *home.Decisions, st *home.State, now time.Time) *home.Home {
	t.Helper()
	set, err := offline.LoadPolicies(config.Default())
	if err != nil {
		t.Fatal(err)
	}
	cards, err := product.Load()
	if err != nil {
		t.Fatal(err)
	}
	h := home.New(home.Options{
		Site: "home", Policies: set, Cards: cards, Watch: true, Sources: builtin.Sources, Decisions: dec, State: st,
		Pending:  func(discovery.Device, *fact.Evidence) *fact.Evidence { return fact.New("agent", now) },
		Networks: func() discovery.Networks { return discovery.Networks{} },
	}, now)
	h.Apply(home.Tick{}, now)
	return h
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// checkUpgraded looks at what the owner would miss.
func checkUpgraded(t *testing.T, snap *report.Snapshot) {
	t.Helper()
	const coordinator = discovery.ID("zigbee_00124b00aabb0001")
	status := func(id discovery.ID, policyID string) policy.Status {
		for _, f := range snap.Device(id).Findings {
			if f.Policy.ID == policyID {
				return f.Status
			}
		}
		return ""
	}
	type device struct {
		Name    string
		Trusted bool
		Since   string
	}
	got := map[discovery.ID]device{}
	for _, d := range snap.Devices {
		got[d.ID] = device{d.Name, d.Trusted, d.FirstSeen.Format("15:04:05")}
	}
	want := map[discovery.ID]device{
		discovery.Hub: {"", false, "05:29:00"}, "mac_000c43000001": {"", false, "05:19:42"},
		coordinator: {"Coordinator", false, "05:19:42"}, "zigbee_00158d0001000001": {"hall_bulb", true, "05:19:42"},
		"zigbee_00158d0001000002": {"kitchen_plug", false, "05:19:42"}, "zigbee_00158d0001000003": {"bath_climate", false, "05:19:42"},
		"zigbee_00158d0001000004": {"front_lock", true, "05:19:42"}, "zigbee_00158d0001000005": {"mystery_gadget", false, "05:19:42"},
		"zigbee_00158d0001000006": {"", false, "05:19:42"}, "zigbee_0017880101000007": {"attic_bulb", false, "05:19:42"},
		"zigbee_a4c1380001000008": {"smoke_hall", false, "05:19:42"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got := status(coordinator, "zigbee-default-key"); got != policy.Accepted {
		t.Errorf("the accepted finding is %q", got)
	}
	if got := status("zigbee_00158d0001000005", "zigbee-unknown-device"); got != policy.Open {
		t.Errorf("the open finding is %q", got)
	}
	if n := len(snap.Events); n != 28 {
		t.Errorf("%d events, want the 28 of before and no more: %+v", n, snap.Events)
	}
}

// fields returns what a file of the fixture says.
func fields(t *testing.T, name string) any {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "state-v1", name))
	if err != nil {
		t.Fatal(err)
	}
	return decoded(t, b)
}

func decoded(t *testing.T, b []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
