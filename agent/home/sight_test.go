package home

import (
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

func TestBlind(t *testing.T) {
	restarted := func(h *testHome) { h.see(1, nil); h.wait(time.Hour); h.restart() }
	for _, tt := range []struct {
		name string
		do   func(h *testHome)
		want bool
	}{
		{"nothing answers", func(*testHome) {}, true},
		{"a device answers", func(h *testHome) { h.see(1, nil) }, false},
		{"known from an earlier run only", restarted, true},
		{"known, and seen again", func(h *testHome) { restarted(h); h.see(1, telnet(false)) }, false},
		{"only in the configuration", func(h *testHome) {
			mac, _ := discovery.MAC("000c43000001")
			h.observe(discovery.Observation{By: "static", At: h.now, About: []discovery.Identifier{mac}, Quiet: true}, h.now)
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t, 24*time.Hour)
			tt.do(h)
			h.wait(firstSight)
			h.Apply(Sight{NoDevice: "no device"}, h.now)
			if got := h.Snapshot(h.now).Blind; (got != "") != tt.want {
				t.Errorf("blind: %q, want %v", got, tt.want)
			}
		})
	}
}

// TestBlindWithoutAWayIn: an agent that is not in the home's network itself sees by
// what others report, as long as they report anything.
func TestBlindWithoutAWayIn(t *testing.T) {
	sight := Sight{NoDevice: "no device"}
	report := func(h *testHome) {
		mac, _ := discovery.MAC("000c43000001")
		e := fact.New("homeassistant", h.now)
		fact.DeviceKind.Set(e, "lan", "")
		h.observe(discovery.Observation{By: "homeassistant", At: h.now, About: []discovery.Identifier{mac}, Facts: e, Quiet: true}, h.now)
	}
	restarted := func(h *testHome) { report(h); h.wait(time.Hour); h.restart() }
	for _, tt := range []struct {
		name  string
		sight Sight
		do    func(h *testHome)
		early bool
		want  string
	}{
		{"no network", Sight{NoNetwork: "no network"}, func(*testHome) {}, false, "no network"},
		{"no network at the start", Sight{NoNetwork: "no network"}, func(*testHome) {}, true, "no network"},
		{"no network yet, but somebody may report one", Sight{NoNetwork: "no network", Remote: true}, func(*testHome) {}, true, ""},
		{"no network after all", Sight{NoNetwork: "no network", Remote: true}, func(*testHome) {}, false, "no network"},
		{"no device at the start", sight, func(*testHome) {}, true, ""},
		{"no device", sight, func(*testHome) {}, false, "no device"},
		{"a device is reported", sight, report, false, ""},
		{"and again after a restart", sight, func(h *testHome) { restarted(h); report(h) }, false, ""},
		{"it was reported, and who did is lost", sight, func(h *testHome) {
			restarted(h)
			h.setHealth("homeassistant", discovery.Down, "It cannot be reached.")
		}, false, "no device"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t, 24*time.Hour)
			tt.do(h)
			if !tt.early {
				h.wait(firstSight)
			}
			h.Apply(tt.sight, h.now)
			if got := h.Snapshot(h.now).Blind; got != tt.want {
				t.Errorf("blind: %q, want %q", got, tt.want)
			}
			if got := h.health["network"]; got.Error != tt.want || (got.Status == discovery.Down) != (tt.want != "") {
				t.Errorf("health %+v", got)
			}
		})
	}
}
