package home

import (
	"fmt"
	"net/netip"
	"slices"
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

// TestDeviceThatHomeAssistantReportsIsNotAwayAfterARestart: in a network beyond a
// router nobody sees when a device was there last, and who counts as away is not asked.
func TestDeviceThatHomeAssistantReportsIsNotAwayAfterARestart(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	mac, _ := discovery.MAC("000c43000001")
	observe := func() {
		e := fact.New("homeassistant", h.now)
		fact.DeviceKind.Set(e, "lan", "")
		fact.DeviceReachable.Set(e, true, "10.0.1.9, reported by Home Assistant")
		h.observe(discovery.Observation{By: "homeassistant", At: h.now, About: []discovery.Identifier{mac, discovery.IP(netip.MustParseAddr("10.0.1.9"))}, Facts: e, Quiet: true}, h.now)
		h.tick(h.now)
	}
	observe()
	h.wait(time.Minute)
	h.restart()
	h.wait(unseenAfter + time.Minute)
	if h.shown[cameraID].Online {
		t.Error("nobody tells of it, and it is not shown as away")
	}
	observe()
	h.wait(2 * time.Hour)
	if !h.shown[cameraID].Online {
		t.Error("it is shown as away")
	}
}

func TestDeviceThatHomeAssistantReportsIsNotForgottenAndNewAgain(t *testing.T) {
	h := newHome(t, 0)
	mac, _ := discovery.MAC("020000000001")
	observe := func() {
		e := fact.New("homeassistant", h.now)
		fact.DeviceKind.Set(e, "lan", "")
		fact.DeviceMACRandom.Set(e, true, "")
		h.observe(discovery.Observation{By: "homeassistant", At: h.now, About: []discovery.Identifier{mac}, Facts: e, Quiet: true}, h.now)
		h.tick(h.now)
	}
	observe()
	h.wait(randomForgotten + 2*time.Hour)
	h.events = nil
	observe()
	if got := h.eventTypes(); slices.Contains(got, report.DeviceAppeared) {
		t.Errorf("events %v", got)
	}
}

// stick reports a Zigbee coordinator whose network is open or closed.
func (h *testHome) stick(open bool) discovery.ID {
	stick, _ := discovery.Zigbee("0x00124b00aabb0001")
	e := fact.New("zigbee2mqtt", h.now)
	fact.DeviceKind.Set(e, "zigbee", "")
	fact.ZigbeeRole.Set(e, "coordinator", "")
	fact.ZigbeeJoinOpen.Set(e, open, "permit_join")
	fact.ZigbeeJoinOpenSince.Set(e, h.now, "")
	h.observe(discovery.Observation{By: "zigbee2mqtt", At: h.now, About: []discovery.Identifier{stick}, Facts: e}, h.now)
	h.tick(h.now)
	id, _ := h.inv.Find(stick)
	return id
}

// shownState is of each device what entities show.
func (h *testHome) shownState() map[discovery.ID]string {
	out := map[discovery.ID]string{}
	s := h.Snapshot(h.now)
	for _, d := range s.Devices {
		score := "none"
		if n := d.Score(); n != nil {
			score = fmt.Sprint(*n)
		}
		line := fmt.Sprintf("score %s, checked %d, %d not, online %v,", score, d.Checked, len(d.NotChecked), d.Online)
		for _, f := range d.Findings {
			line += fmt.Sprintf(" %s=%s", f.Policy.ID, f.Status)
		}
		for _, n := range d.Facts {
			if d.ID == discovery.Hub {
				line += fmt.Sprintf(" %s=%v", n.Name, n.Value)
			}
		}
		out[d.ID] = line
	}
	out["scan"] = s.LastScan.String()
	return out
}

func TestRestartLeavesEveryStateAsItWas(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	h.see(1, telnet(false))
	h.see(2, telnet(true))
	h.see(3, func(e *fact.Evidence) { telnet(true)(e); fact.DeviceOnline.Set(e, true, "") })
	h.see(3, func(e *fact.Evidence) { fact.DeviceOnline.Set(e, false, "") })
	h.stick(false)
	h.lastScan = h.now
	h.wait(time.Hour)
	h.events = nil
	before := h.shownState()
	for _, d := range []time.Duration{0, time.Minute, unseenAfter - 2*time.Minute} {
		if d == 0 {
			h.restart()
		}
		h.wait(d)
		if d := cmp.Diff(before, h.shownState()); d != "" {
			t.Errorf("%v after a restart (-before +after):\n%s", h.now.Sub(h.started), d)
		}
		if got := h.eventTypes(); got != nil {
			t.Errorf("events %v, want none", got)
		}
	}
	h.see(2, telnet(true))
	if got := h.status("mac_000c43000002", "telnet-open"); got != policy.Open {
		t.Errorf("seen again, the finding is %q", got)
	}
	h.wait(time.Hour)
	if n := h.Snapshot(h.now).Device("mac_000c43000001"); n.Checked != 0 || n.Online {
		t.Errorf("never seen again: online %v, %d policies checked", n.Online, n.Checked)
	}
}

func TestLiveWordsOfAnEarlierRunAreNoNews(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	id := h.stick(true)
	h.now = h.now.Add(2 * time.Hour) // in which no agent ran: the network may have been closed long ago
	h.events = nil
	h.restart()
	for _, d := range []time.Duration{0, time.Minute} {
		h.wait(d)
		if got := h.eventTypes(); got != nil {
			t.Errorf("events %v: nobody knows that it was open for so long", got)
		}
	}
	if n, _ := h.evidence[id].Entry(fact.ZigbeeJoinOpen.Name()); n.Why != fact.Restored {
		t.Errorf("the word stands as %+v, want it marked", n)
	}
	h.wait(unseenAfter)
	if open, known := fact.ZigbeeJoinOpen.Get(h.evidence[id]); known {
		t.Errorf("the network is said to be open=%v, and nobody has looked for long", open)
	}
	if _, known := fact.HomeJoinOpen.Get(h.evidence[discovery.Hub]); known {
		t.Error("the home's word is known, and nobody has looked for long")
	}
	if role, _ := fact.ZigbeeRole.Get(h.evidence[id]); role != "coordinator" {
		t.Errorf("role %q: what a device is does not change while nobody looks", role)
	}
	h.stick(true)
	h.wait(15 * time.Minute)
	if got := h.eventTypes(); !slices.Contains(got, "finding_worsened zigbee-join-open") {
		t.Errorf("events %v once somebody has looked, want it told that it has been open for long", got)
	}
}

func TestMemberThatLeftWhileNothingListenedGoes(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	observe := func(id, via string) {
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
	observe("zwave_c0ffee00_1", "")
	observe("zwave_c0ffee00_2", "zwave_c0ffee00_1")
	observe("zwave_c0ffee00_3", "zwave_c0ffee00_1")
	observe("zwave_0badcafe_1", "")
	observe("zwave_0badcafe_2", "zwave_0badcafe_1") // another network, whose server stays away
	h.restart()
	observe("zwave_c0ffee00_1", "")
	observe("zwave_c0ffee00_2", "zwave_c0ffee00_1")
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

func TestLosingSightOfTheNetworkBringsNoDeviceBack(t *testing.T) {
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

func TestWhatTheOwnerWroteBringsNoDeviceBack(t *testing.T) {
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

func TestUninvitedStaysSoAfterARestart(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	lamp, _ := discovery.Zigbee("0x00124b00aabb0003")
	observe := func(how func(*fact.Evidence)) {
		e := fact.New("zigbee2mqtt", h.now)
		fact.DeviceKind.Set(e, "zigbee", "")
		fact.ZigbeeRole.Set(e, "router", "")
		fact.ZigbeeSupported.Set(e, true, "")
		fact.ZigbeeInterview.Set(e, "successful", "")
		how(e)
		e.Finish("zigbee2mqtt")
		h.observe(discovery.Observation{By: "zigbee2mqtt", At: h.now, About: []discovery.Identifier{lamp}, Facts: e}, h.now)
		h.tick(h.now)
	}
	id := discovery.ID("zigbee_00124b00aabb0003")
	observe(func(e *fact.Evidence) { fact.ZigbeeUninvited.Set(e, true, "device_joined while closed") })
	h.restart()
	observe(func(e *fact.Evidence) { fact.ZigbeeUninvited.Unknown(e, fact.NotReported) }) // the source begins anew
	h.wait(24 * time.Hour)
	if got := h.status(id, "zigbee-unknown-device"); got != policy.Open {
		t.Errorf("the finding is %q: who joined uninvited stays so", got)
	}
	h.do(report.Command{Action: report.Trust, Device: id})
	if got := h.status(id, "zigbee-unknown-device"); got != policy.Resolved {
		t.Errorf("trusted, the finding is %q", got)
	}
}
