package home

import (
	"fmt"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/inventory"
)

func TestFloodIsNotShownAfterARestart(t *testing.T) {
	h := newHome(t, 0)
	for i := range 100 {
		h.see(i+1, nil)
	}
	h.restart()
	if shown := h.shownDevices(); shown != newPerHour {
		t.Errorf("%d devices are shown, want %d", shown, newPerHour)
	}
}

func (h *testHome) shownDevices() (n int) {
	for _, d := range h.Snapshot(h.now).Devices {
		if !d.Provisional && d.ID != discovery.Hub {
			n++
		}
	}
	return n
}

func TestCrowdIsLetInLittleByLittleAndForgotten(t *testing.T) {
	h := newHome(t, 0)
	for i := range newPerHour + 2 {
		h.see(i+1, nil)
	}
	for i := range 3 {
		h.see(i+1001, func(e *fact.Evidence) { // packets of theirs were heard, nobody answers there
			e.Remove(fact.DeviceReachable.Name())
		})
	}
	h.wait(time.Hour + unseenAfter)
	if got := h.shownDevices(); got != newPerHour+2 {
		t.Errorf("%d devices are shown after an hour, want the %d that answer", got, newPerHour+2)
	}
	h.restart()
	h.wait(crowdForgotten)
	if n, known := len(h.overflow), len(h.dec.Devices); n != 0 || known != newPerHour+2 {
		t.Errorf("%d devices are counted and %d known after a day, want 0 and %d", n, known, newPerHour+2)
	}
	if got := h.health["new devices"]; got.Status != discovery.OK {
		t.Errorf("health %+v, want ok", got)
	}
}

func TestFloodDoesNotPushOutTheHome(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	sensor, _ := discovery.Zigbee("0x00124b00aabb0003")
	h.observe(discovery.Observation{By: "zigbee2mqtt", At: h.now, About: []discovery.Identifier{sensor}}, h.now)
	h.wait(25 * time.Hour)
	for i := range inventory.MaxDevices + 100 {
		id, _ := discovery.MAC(fmt.Sprintf("000c43%06x", i+1))
		h.now = h.now.Add(time.Second)
		h.observe(discovery.Observation{By: "neighbours", At: h.now, About: []discovery.Identifier{id}}, h.now)
	}
	h.tick(h.now)
	if _, there := h.inv.Find(sensor); !there {
		t.Error("a sensor of the home had to make room for made-up devices")
	}
	if n := len(h.dec.Devices); n > inventory.MaxDevices {
		t.Errorf("%d devices are remembered, most of which were never shown", n)
	}
}
