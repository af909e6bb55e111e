package agent

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

func TestRestartIsNoNewsOfDevicesThatAreAway(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	h.see(1, func(e *fact.Evidence) { fact.DeviceOnline.Set(e, true, "") })
	h.see(1, func(e *fact.Evidence) { fact.DeviceOnline.Set(e, false, "") })
	h.wait(goneAfter + time.Hour)
	h.events = nil
	h.restart()
	for _, d := range []time.Duration{0, time.Minute, unseenAfter, time.Minute} { // events are kept for ten
		h.wait(d)
		if got := h.eventTypes(); got != nil {
			t.Errorf("events %v after a restart, want none: it is still away", got)
		}
	}
	h.events = nil
	h.see(1, func(e *fact.Evidence) { fact.DeviceOnline.Set(e, true, "") })
	if d := cmp.Diff([]string{report.DeviceReturned}, h.eventTypes()); d != "" {
		t.Error(d)
	}
}

func TestLiveWordsAreUnknownAfterARestart(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	stick, _ := discovery.Zigbee("0x00124b00aabb0001")
	tell := func(open bool) {
		e := fact.New("zigbee2mqtt", h.now)
		fact.DeviceKind.Set(e, "zigbee", "")
		fact.ZigbeeRole.Set(e, "coordinator", "")
		fact.ZigbeeJoinOpen.Set(e, open, "")
		h.observe(discovery.Observation{By: "zigbee2mqtt", At: h.now, About: []discovery.Identifier{stick}, Facts: e}, h.now)
		h.tick(h.now)
	}
	tell(false)
	h.restart()
	id, _ := h.inv.Find(stick)
	if open, known := fact.ZigbeeJoinOpen.Get(h.evidence[id]); known {
		t.Errorf("the network is said to be open=%v, and nobody has looked", open)
	}
	if _, known := fact.HomeJoinOpen.Get(h.evidence[discovery.Hub]); known {
		t.Error("the home's word is known, and nobody has looked")
	}
	if role, _ := fact.ZigbeeRole.Get(h.evidence[id]); role != "coordinator" {
		t.Errorf("role %q: what a device is does not change while nobody looks", role)
	}
	tell(true)
	if h.status(id, "zigbee-join-open") != policy.Open {
		t.Error("it is not told when somebody has looked")
	}
}

func TestMemberThatLeftWhileNobodyListenedGoes(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	tell := func(id, via string) {
		about, _ := discovery.ParseID(id)
		o := discovery.Observation{By: "zwavejs", At: h.now, About: []discovery.Identifier{about}, Facts: fact.New("zwavejs", h.now)}
		fact.DeviceKind.Set(o.Facts, "zwave", "")
		if via != "" {
			o.Via, _ = discovery.ParseID(via)
			fact.ZWaveSecurity.Set(o.Facts, "none", "")
		}
		h.observe(o, h.now)
		h.tick(h.now)
	}
	tell("zwave_c0ffee00_1", "")
	tell("zwave_c0ffee00_2", "zwave_c0ffee00_1")
	tell("zwave_c0ffee00_3", "zwave_c0ffee00_1")
	tell("zwave_0badcafe_1", "")
	tell("zwave_0badcafe_2", "zwave_0badcafe_1") // another network, whose server stays away
	h.restart()
	tell("zwave_c0ffee00_1", "")
	tell("zwave_c0ffee00_2", "zwave_c0ffee00_1")
	h.wait(unseenAfter + time.Hour)
	var got []discovery.ID
	for _, id := range h.inv.IDs() {
		if id != discovery.Hub {
			got = append(got, id)
		}
	}
	want := []discovery.ID{"zwave_0badcafe_1", "zwave_0badcafe_2", "zwave_c0ffee00_1", "zwave_c0ffee00_2"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("devices (-want +got):\n%s", d)
	}
}

func TestHeardAgainAfterItWasTakenForAway(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	h.see(1, nil)
	h.wait(time.Minute)
	h.restart()
	h.wait(unseenAfter + time.Hour)
	h.see(1, nil) // by a source that says nothing of being online
	if !h.shown[cameraID].Online {
		t.Error("it is shown as away although it was just heard")
	}
}

func TestLosingSightOfTheNetworkBringsNobodyBack(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	h.see(1, nil)
	h.wait(time.Hour)
	h.see(1, func(e *fact.Evidence) { fact.DeviceOnline.Set(e, false, "") })
	h.wait(goneAfter + time.Hour)
	h.events = nil
	h.sourceDown("test")
	h.tick(h.now)
	if got := h.eventTypes(); got != nil {
		t.Errorf("events %v, want none", got)
	}
}

func TestWhatTheOwnerWroteBringsNobodyBack(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	lock, _ := discovery.Zigbee("0x00124b00aabb0002")
	by := func(source string, gone bool) {
		o := discovery.Observation{By: source, At: h.now, About: []discovery.Identifier{lock}, Gone: gone, Quiet: true}
		h.observe(o, h.now)
		h.tick(h.now)
	}
	by("static", false)
	by("zigbee2mqtt", false)
	by("zigbee2mqtt", true)
	h.wait(time.Minute)
	by("static", false) // which is told every minute
	if d := cmp.Diff([]string{report.DeviceGone}, h.eventTypes()); d != "" {
		t.Errorf("after it left (-want +got):\n%s", d)
	}
	by("zigbee2mqtt", false)
	if d := cmp.Diff([]string{report.DeviceGone, report.DeviceReturned}, h.eventTypes()); d != "" {
		t.Errorf("after it returned (-want +got):\n%s", d)
	}
}
