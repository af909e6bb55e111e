package inventory

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

func TestRestoreLeavesOutWhatMakesNoSense(t *testing.T) {
	var saved []SavedDevice
	if err := json.Unmarshal([]byte(`[
		{"id": "mac_02000000000a", "identifiers": [{"Kind": "mac", "Value": "02000000000a"}],
		 "said": {"neighbours": null, "x": {"facts": [{"name": "no.such.word", "value": true}]}}},
		{"id": "mac_02000000000b", "identifiers": [{"Kind": "mac", "Value": "02000000000a"}], "said": {}},
		{"id": "mac_02000000000c", "said": {}},
		{"id": "hub", "identifiers": [{"Kind": "mac", "Value": "02000000000d"}], "said": {}}
	]`), &saved); err != nil {
		t.Fatal(err)
	}
	inv := newTestInventory()
	inv.Restore(saved)
	if d := cmp.Diff([]discovery.ID{"hub", "mac_02000000000a"}, inv.IDs()); d != "" {
		t.Errorf("devices (-want +got):\n%s", d)
	}
}

func TestRestoredWords(t *testing.T) {
	inv := newTestInventory()
	e := fact.New("x", noon)
	fact.DeviceModel.Set(e, "M", "")
	fact.TelnetOpen.Set(e, true, "tcp/23")
	fact.HomeKitPaired.Set(e, true, "sf=0")
	e.Finish("x")
	inv.Observe(discovery.Observation{By: "x", At: noon, About: []discovery.Identifier{mac(t, macA)}, Facts: e})
	again := newTestInventory()
	again.Restore(inv.Save())
	want := map[string]string{"device.model": "M", "telnet.open": "true", "homekit.paired": "true restored"}
	if d := cmp.Diff(want, wordsOf(again)); d != "" {
		t.Errorf("words (-want +got):\n%s", d)
	}
	if !again.Evidence("mac_02000000000a", noon).Finished("x") {
		t.Error("it had finished before the restart")
	}
	if d := cmp.Diff([]discovery.ID{"mac_02000000000a"}, again.EndRestored()); d != "" {
		t.Errorf("changed (-want +got):\n%s", d)
	}
	want["homekit.paired"] = " not-asked"
	if d := cmp.Diff(want, wordsOf(again)); d != "" {
		t.Errorf("words that nobody told again (-want +got):\n%s", d)
	}
	if again.Evidence("mac_02000000000a", noon).Finished("x") {
		t.Error("it counts as finished, and has to look again at what it lost")
	}
	if changed := again.EndRestored(); changed != nil {
		t.Errorf("changed once more: %v", changed)
	}
}

// wordsOf returns the words of the only device, each with its reason.
func wordsOf(inv *Inventory) map[string]string {
	out := map[string]string{}
	for _, n := range inv.Evidence("mac_02000000000a", noon).Entries() {
		out[n.Name] = strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%v %s", n.Value, n.Why), "<nil>"), " ")
	}
	return out
}

func TestRestoredWordIsKeptUntilItIsReportedAgain(t *testing.T) {
	for _, tt := range []struct {
		name, by string
		set      func(*fact.Evidence)
		changed  bool
		want     string
	}{
		{"confirmed", "x", func(e *fact.Evidence) { fact.HomeKitPaired.Set(e, true, "sf=0") }, true, "true"},
		{"changed", "x", func(e *fact.Evidence) { fact.HomeKitPaired.Set(e, false, "sf=1") }, true, "false"},
		{"not told yet", "x", func(e *fact.Evidence) { fact.HomeKitPaired.Unknown(e, fact.NotReported) }, false, "true restored"},
		{"who knew it is lost", "x", func(e *fact.Evidence) { fact.HomeKitPaired.Unknown(e, fact.SourceDown) }, true, " source-down"},
		{"another knows it now", "y", func(e *fact.Evidence) { fact.HomeKitPaired.Set(e, false, "sf=1") }, true, "false"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			report := func(inv *Inventory, by string, at time.Time, set func(*fact.Evidence)) Outcome {
				e := fact.New(by, at)
				set(e)
				return inv.Observe(discovery.Observation{By: by, At: at, About: []discovery.Identifier{mac(t, macA)}, Facts: e})
			}
			old := New(func() discovery.Networks { return discovery.Networks{} }, []discovery.SourceKind{{Name: "x", Rank: discovery.RankBridge}, {Name: "y", Rank: discovery.RankAddress}}, func(discovery.ID) bool { return false }, noon)
			report(old, "x", noon, func(e *fact.Evidence) { fact.HomeKitPaired.Set(e, true, "sf=0") })
			report(old, "y", noon, func(*fact.Evidence) {})
			inv := New(func() discovery.Networks { return discovery.Networks{} }, []discovery.SourceKind{{Name: "x", Rank: discovery.RankBridge}, {Name: "y", Rank: discovery.RankAddress}}, func(discovery.ID) bool { return false }, noon)
			inv.Restore(old.Save())
			out := report(inv, tt.by, noon.Add(time.Hour), tt.set)
			if got := len(out.Changed) > 0; got != tt.changed {
				t.Errorf("changed: %v, want %v", got, tt.changed)
			}
			if got := wordsOf(inv)["homekit.paired"]; got != tt.want {
				t.Errorf("homekit.paired is %q, want %q", got, tt.want)
			}
		})
	}
}
