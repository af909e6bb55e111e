package home

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

func TestOwnersOfAddresses(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	compare := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	see := func(want map[netip.Addr]discovery.Identifier, ids ...discovery.Identifier) {
		t.Helper()
		e := fact.New("neighbours", h.now)
		fact.DeviceKind.Set(e, "lan", "")
		h.Apply(Observation{discovery.Observation{By: "neighbours", At: h.now, About: ids, Facts: e}}, h.now)
		if d := cmp.Diff(want, h.Apply(Tick{}, h.now).Owners, compare); d != "" {
			t.Errorf("owners (-want +got):\n%s", d)
		}
	}
	mac, _ := discovery.MAC("000c43000001")
	other, _ := discovery.MAC("000c43000002")
	four, five := netip.MustParseAddr("10.0.0.4"), netip.MustParseAddr("10.0.0.5")
	see(map[netip.Addr]discovery.Identifier{four: mac}, mac, discovery.IP(four))
	see(nil, mac, discovery.IP(four)) // nothing new
	see(map[netip.Addr]discovery.Identifier{four: mac}, other, discovery.Claimed(five))
	see(map[netip.Addr]discovery.Identifier{four: other}, other, discovery.IP(four))
	see(map[netip.Addr]discovery.Identifier{four: other}, discovery.IP(netip.MustParseAddr("10.1.0.7"))) // beyond a router
}

func TestOwnersCorrections(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	see := func(open bool) {
		h.see(1, func(e *fact.Evidence) {
			fact.DeviceClass.Set(e, "printer", "its own word")
			fact.TelnetOpen.Set(e, open, "")
		})
	}
	see(true)
	set := func(a report.Action, value string) {
		t.Helper()
		h.do(report.Command{Action: a, Device: cameraID, Value: value})
	}
	type shown struct {
		Name, Class, Room string
		ListenOnly, Muted bool
	}
	check := func(want shown) {
		t.Helper()
		d := h.Snapshot(h.now).Device(cameraID)
		if diff := cmp.Diff(want, shown{d.Name, d.Class, d.Room, d.ListenOnly, d.Muted}); diff != "" {
			t.Errorf("shown (-want +got):\n%s", diff)
		}
		if got, _ := fact.DeviceListenOnly.Get(h.evidence[cameraID]); got != want.ListenOnly {
			t.Errorf("the prober hears that it is only to be listened to: %v", got)
		}
	}
	for a, value := range map[report.Action]string{report.Name: "Porch", report.Class: "camera", report.Room: "Garden", report.ListenOnly: "", report.Mute: ""} {
		set(a, value)
	}
	all := shown{"Porch", "camera", "Garden", true, true}
	check(all)
	h.restart()
	see(true)
	check(all)
	events := len(h.events)
	see(false)
	see(true)
	if len(h.events) != events {
		t.Errorf("a muted device makes news: %v", h.eventTypes())
	}
	if got := h.status(cameraID, "telnet-open"); got != "open" {
		t.Errorf("a muted device is not judged: %q", got)
	}
	for a, value := range map[report.Action]string{report.Name: "", report.Class: "", report.Room: "", report.ListenOnly: "off", report.Mute: "off"} {
		set(a, value)
	}
	check(shown{Class: "printer"})
}

func TestGatewayCannotBeMuted(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	h.see(1, func(e *fact.Evidence) { fact.WANGateway.Set(e, true, "") })
	if err := h.decide(report.Command{Action: report.Mute, Device: cameraID}, h.now); err == nil {
		t.Error("the gateway is muted")
	}
}

func TestForget(t *testing.T) {
	h := newHome(t, 0)
	h.see(1, telnet(true))
	h.do(report.Command{Action: report.Accept, Device: cameraID, Policy: "telnet-open"})
	h.do(report.Command{Action: report.Forget, Device: cameraID})
	s := h.Snapshot(h.now)
	if s.Device(cameraID) != nil || !slices.Contains(s.Forgotten, cameraID) || h.dec.Devices[cameraID] != nil {
		t.Errorf("it is still known: %+v", h.dec.Devices)
	}
	h.see(1, telnet(true))
	if got := h.status(cameraID, "telnet-open"); got != "open" {
		t.Errorf("seen again it is %q, want a new one", got)
	}
}

func TestAllMine(t *testing.T) {
	h := newHome(t, 0)
	h.see(1, telnet(true)) // with which it is more than information that it is new
	h.see(2, telnet(true))
	h.do(report.Command{Action: report.Trust, Device: discovery.Hub})
	if got := h.eventTypes(); slices.Index(got, "device_trusted") != len(got)-3 {
		t.Errorf("events %v, want one for all, then two findings that are resolved", got)
	}
	for _, d := range h.Snapshot(h.now).Devices {
		if d.ID != discovery.Hub && !d.Trusted {
			t.Errorf("%s is not trusted", d.ID)
		}
	}
	h.see(3, nil)
	if h.dec.Devices["mac_000c43000003"].Trusted {
		t.Error("a device that came later is trusted")
	}
	h.do(report.Command{Action: report.Untrust, Device: discovery.Hub})
	if h.dec.Devices[cameraID].Trusted {
		t.Error("not undone")
	}
}

// What can't be saved is not carried out: a preview changes nothing.
func TestPreviewChangesNothing(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	h.see(1, telnet(true))
	before := mustJSON(t, h.dec)
	dec, errs := h.Preview([]Decision{
		Do{report.Command{Action: report.Trust, Device: cameraID}},
		Do{report.Command{Action: report.Accept, Device: cameraID, Policy: "telnet-open", Reason: "r"}},
		Do{report.Command{Action: report.Unaccept, Device: cameraID, Policy: "telnet-open"}},
		Do{report.Command{Action: report.Accept, Device: cameraID, Policy: "telnet-open", Reason: "again"}},
		Do{report.Command{Action: report.Hide, Device: cameraID}},
		Do{report.Command{Action: report.Unaccept, Device: cameraID, Policy: "new-device"}},
	}, h.now)
	for i, err := range errs {
		if (err != nil) != (i == 5) {
			t.Errorf("command %d: %v", i, err)
		}
	}
	k := dec.Devices[cameraID]
	if a := k.Accepted["telnet-open"]; !k.Trusted || a.Reason != "again" || a.Severity == 0 || dec.Hidden[cameraID].IsZero() {
		t.Errorf("preview %+v of %+v", k, dec)
	}
	if got := mustJSON(t, h.dec); string(got) != string(before) || h.status(cameraID, "telnet-open") != "open" {
		t.Errorf("decisions %s, before %s", got, before)
	}
}

func TestNewDeviceIsIdentified(t *testing.T) {
	named := func(e *fact.Evidence) { fact.DeviceModel.Set(e, "X1", "") }
	for _, tt := range []struct {
		name string
		run  func(h *testHome)
		want []string
	}{
		{"at once", func(h *testHome) { h.see(1, named) }, []string{"device_appeared", "device_identified"}},
		{"when it shows what it is", func(h *testHome) { h.see(1, nil); h.wait(5 * time.Second); h.see(1, named); h.wait(time.Minute) },
			[]string{"device_appeared", "device_identified"}},
		{"not yet", func(h *testHome) { h.see(1, nil); h.wait(identifyWithin - time.Second) }, []string{"device_appeared"}},
		{"after a while it is what it is", func(h *testHome) { h.see(1, nil); h.wait(identifyWithin) }, []string{"device_appeared", "device_identified"}},
		{"under a better identity", func(h *testHome) {
			h.see(1, nil)
			h.rename(cameraID, "zigbee_00124b00aabb0001")
			if h.nameless[cameraID].at.IsZero() == h.nameless["zigbee_00124b00aabb0001"].at.IsZero() {
				t.Error("it waits under both ids or none")
			}
		}, []string{"device_appeared"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t, 0)
			tt.run(h)
			if d := cmp.Diff(tt.want, h.eventTypes()); d != "" {
				t.Errorf("events (-want +got):\n%s", d)
			}
		})
	}
}

// TestOwnersNameWins: what the owner calls a device is its title, even where it
// looks like an address, or another source gives a name that people would know.
func TestOwnersNameWins(t *testing.T) {
	const odd = "esp_1a2b3c"
	mac, _ := discovery.MAC("000c43000001")
	name := func(by, name string) func(*testHome) {
		return func(h *testHome) {
			h.observe(discovery.Observation{By: by, At: h.now, About: []discovery.Identifier{mac}, Name: name, Quiet: true}, h.now)
			h.tick(h.now)
		}
	}
	decide := func(value string) func(*testHome) {
		return func(h *testHome) { h.do(report.Command{Action: report.Name, Device: cameraID, Value: value}) }
	}
	type shown struct {
		Title string
		Owned bool
	}
	for _, tt := range []struct {
		name  string
		steps []func(*testHome)
		want  shown
	}{
		{"no owner's name", []func(*testHome){name("homeassistant", "Hall camera")}, shown{"Hall camera", false}},
		{"decided", []func(*testHome){name("homeassistant", "Hall camera"), decide(odd)}, shown{odd, true}},
		{"configured", []func(*testHome){name("homeassistant", "Hall camera"), name("static", odd)}, shown{odd, true}},
		{"decided and configured", []func(*testHome){name("static", "Porch"), decide(odd)}, shown{odd, true}},
		{"decision taken back", []func(*testHome){name("homeassistant", "Hall camera"), decide(odd), decide("")}, shown{"Hall camera", false}},
		{"name after a restart", []func(*testHome){decide(odd), (*testHome).restart, name("homeassistant", "Hall camera")}, shown{odd, true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t, 24*time.Hour)
			h.see(1, func(e *fact.Evidence) { fact.UPnPFriendlyName.Set(e, "Living room camera", "") })
			for _, step := range tt.steps {
				step(h)
			}
			d := h.Snapshot(h.now).Device(cameraID)
			if diff := cmp.Diff(tt.want, shown{d.Title, d.Owned}); diff != "" {
				t.Error(diff)
			}
		})
	}
}
