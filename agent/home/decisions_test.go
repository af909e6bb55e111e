package home

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/policy"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestRenameKeepsDecisions(t *testing.T) {
	d := NewDecisions(noon)
	old := d.device("ip_10_0_0_9", noon)
	old.Trusted = true
	old.Accepted = map[string]policy.Acceptance{"telnet-open": {Reason: "r"}}
	d.device("mac_02000000000a", noon.Add(time.Hour)).Appeared = true
	d.Hidden["ip_10_0_0_9"] = noon
	d.rename("ip_10_0_0_9", "mac_02000000000a")
	want := map[discovery.ID]*Known{"mac_02000000000a": {
		FirstSeen: noon, Trusted: true, Accepted: map[string]policy.Acceptance{"telnet-open": {Reason: "r"}}}}
	if diff := cmp.Diff(want, d.Devices); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[discovery.ID]time.Time{"mac_02000000000a": noon}, d.Hidden); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseDecisions(f *testing.F) {
	f.Add([]byte(`{"version":1,"install":"a","learning_from":"2026-11-23T12:00:00Z","devices":{"x":null}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseDecisions(b)
		if err == nil {
			d.device("x", noon).Trusted = true // usable
		}
	})
}
