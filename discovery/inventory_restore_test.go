package discovery

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

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
	if d := cmp.Diff([]ID{"hub", "mac_02000000000a"}, inv.IDs()); d != "" {
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
	inv.Observe(Observation{By: "x", At: noon, About: []Identifier{mac(t, macA)}, Facts: e})
	again := newTestInventory()
	again.Restore(inv.Save())
	ev := again.Evidence("mac_02000000000a", noon)
	got := map[string]any{}
	for _, n := range ev.Entries() {
		got[n.Name] = n.Value
		if !n.Known() {
			got[n.Name] = n.Why
		}
	}
	want := map[string]any{"device.model": "M", "telnet.open": true, "homekit.paired": fact.NotAsked}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("words (-want +got):\n%s", d)
	}
	if ev.Finished("x") {
		t.Error("it counts as finished, and has to look again at what it lost")
	}
}
