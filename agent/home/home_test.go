package home

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/product"
	"github.com/thingwarden/thingwarden/policy"
)

const cameraID = discovery.ID("mac_000c43000001")

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// testHome is a Home with the built-in policies, and the time there.
type testHome struct {
	*Home
	t   testing.TB
	now time.Time
	o   Options

	told []report.Event // all events, also those that are too old to be sent
}

// note keeps events that are new.
func (h *testHome) note() {
	for _, e := range h.events {
		if len(h.told) == 0 || e.Seq > h.told[len(h.told)-1].Seq {
			h.told = append(h.told, e)
		}
	}
}

// builtin loads the built-in policies, once for all tests.
var builtin = sync.OnceValues(func() (*policy.Set, error) { return policy.Load(policy.Options{}, policy.Builtin()...) })

// cards loads the cards of products, once for all tests.
var cards = sync.OnceValues(product.Load)

func newHome(t testing.TB, learning time.Duration) *testHome {
	t.Helper()
	set, err := builtin()
	if err != nil {
		t.Fatal(err)
	}
	known, err := cards()
	if err != nil {
		t.Fatal(err)
	}
	lan := discovery.Networks{Watched: []discovery.Network{{Interface: "eth0", Prefix: netip.MustParsePrefix("10.0.0.0/24")}}}
	o := Options{
		Site: "home", Policies: set, Cards: known, Watch: true, Learning: learning, Decisions: NewDecisions(noon),
		Sources: []discovery.SourceKind{
			{Name: "static", Rank: discovery.RankOwner, Role: discovery.Opinion},
			{Name: "zigbee2mqtt", Rank: discovery.RankBridge}, {Name: "zwavejs", Rank: discovery.RankBridge},
			{Name: "bridge", Rank: discovery.RankBridge},
			{Name: "homeassistant", Rank: discovery.RankRegistry, Role: discovery.Hearsay},
			{Name: "mdns", Rank: discovery.RankAnnounced, Role: discovery.NamesMachines},
			{Name: "neighbours", Rank: discovery.RankAddress, Role: discovery.Resolves},
		},
		Networks: func() discovery.Networks { return lan },
		Pending:  func(discovery.Device, *fact.Evidence) *fact.Evidence { return fact.New("agent", noon) },
	}
	return &testHome{Home: New(o, noon), t: t, now: noon, o: o}
}

// see reports a LAN device by its number, with words set by set.
func (h *testHome) see(n int, set func(*fact.Evidence)) discovery.ID {
	h.t.Helper()
	id, ok := discovery.MAC(fmt.Sprintf("000c43%06x", n))
	if !ok {
		h.t.Fatal("bad MAC")
	}
	e := fact.New("test", h.now)
	fact.DeviceKind.Set(e, "lan", "")
	fact.DeviceReachable.Set(e, true, "")
	if set != nil {
		set(e)
	}
	h.observe(discovery.Observation{By: "test", At: h.now, About: []discovery.Identifier{id}, Facts: e}, h.now)
	h.tick(h.now)
	got, _ := h.inv.Find(id)
	return got
}

func telnet(open bool) func(*fact.Evidence) {
	return func(e *fact.Evidence) { fact.TelnetOpen.Set(e, open, "tcp/23: login:") }
}

// wait lets time pass, doing what is due when it is due.
func (h *testHome) wait(d time.Duration) {
	end := h.now.Add(d)
	for {
		next := h.tick(h.now)
		h.note()
		if next.IsZero() || next.After(end) {
			break
		}
		h.now = next
	}
	h.now = end
	h.tick(h.now)
	h.note()
}

func (h *testHome) do(cmd report.Command) {
	h.t.Helper()
	if err := h.decide(cmd, h.now); err != nil {
		h.t.Fatal(err)
	}
	h.tick(h.now)
}

// restart saves everything as files do and starts anew from that.
func (h *testHome) restart() {
	h.t.Helper()
	dec, err := ParseDecisions(mustJSON(h.t, h.dec))
	if err != nil {
		h.t.Fatal(err)
	}
	var st State
	if err := json.Unmarshal(mustJSON(h.t, h.State(h.now)), &st); err != nil {
		h.t.Fatal(err)
	}
	h.o.Decisions, h.o.State = dec, &st
	h.Home = New(h.o, h.now)
	h.tick(h.now)
}

func (h *testHome) eventTypes() (out []string) {
	for _, e := range h.events {
		out = append(out, strings.TrimSuffix(e.Type+" "+e.Policy, " "))
	}
	return out
}

func (h *testHome) status(id discovery.ID, policyID string) policy.Status {
	for _, f := range h.Snapshot(h.now).Device(id).Findings {
		if f.Policy.ID == policyID {
			return f.Status
		}
	}
	return ""
}

func TestEventsOfADevice(t *testing.T) {
	for _, tt := range []struct {
		name     string
		learning time.Duration
		run      func(h *testHome)
		want     []string
	}{
		{"while learning, a new device is no news", 24 * time.Hour, func(h *testHome) { h.see(1, nil) }, nil},
		{"after learning it is", time.Hour, func(h *testHome) { h.wait(2 * time.Hour); h.see(1, nil) },
			[]string{"device_appeared"}},
		{"no learning at all", 0, func(h *testHome) { h.see(1, nil) }, []string{"device_appeared"}},
		{"trusting it", 0, func(h *testHome) { h.see(1, nil); h.do(report.Command{Action: report.Trust, Device: cameraID}) },
			[]string{"device_appeared", "device_trusted"}},
		{"what only informs rises, falls and rises", 0, func(h *testHome) {
			h.see(1, nil)
			h.see(1, telnet(true))
			h.see(1, telnet(false))
			h.see(1, telnet(true))
			h.do(report.Command{Action: report.Trust, Device: cameraID})
		}, []string{"device_appeared", "finding_opened new-device", "finding_opened telnet-open",
			"finding_resolved new-device", "finding_resolved telnet-open",
			"finding_opened new-device", "finding_opened telnet-open", "device_trusted", "finding_resolved new-device"}},
		{"accepting and taking back what only informs", 0, func(h *testHome) {
			h.see(1, nil)
			h.do(report.Command{Action: report.Accept, Device: cameraID, Policy: "new-device", Reason: "mine"})
			h.do(report.Command{Action: report.Unaccept, Device: cameraID, Policy: "new-device"})
		}, []string{"device_appeared"}},
		{"trusting twice is one event", 24 * time.Hour, func(h *testHome) {
			h.see(1, nil)
			h.do(report.Command{Action: report.Trust, Device: cameraID})
			h.do(report.Command{Action: report.Trust, Device: cameraID})
		}, []string{"device_trusted"}},
		{"once per device, restarts included", 0, func(h *testHome) {
			h.see(1, nil)
			h.restart()
			h.see(1, nil)
		}, []string{"device_appeared"}},
		{"known although the state was lost", 0, func(h *testHome) {
			h.see(1, nil)
			h.o.Decisions, h.o.State = h.dec, nil
			h.Home = New(h.o, h.now)
			h.see(1, nil)
		}, nil},
		{"a weakness opens and is mended", 24 * time.Hour, func(h *testHome) {
			h.see(1, telnet(true))
			h.see(1, telnet(false))
		}, []string{"finding_opened telnet-open", "finding_resolved telnet-open"}},
		{"away for an evening is no news", 24 * time.Hour, func(h *testHome) {
			h.see(1, func(e *fact.Evidence) { fact.DeviceOnline.Set(e, false, "") })
			h.wait(8 * time.Hour)
			h.see(1, func(e *fact.Evidence) { fact.DeviceOnline.Set(e, true, "") })
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t, tt.learning)
			tt.run(h)
			if d := cmp.Diff(tt.want, h.eventTypes()); d != "" {
				t.Errorf("events (-want +got):\n%s", d)
			}
		})
	}
}

func TestGoneAndReturned(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	online := func(yes bool) func(*fact.Evidence) {
		return func(e *fact.Evidence) { fact.DeviceOnline.Set(e, yes, "") }
	}
	h.see(1, online(true))
	h.see(1, online(false))
	h.wait(goneAfter + time.Minute)
	if d := cmp.Diff([]string{"device_gone"}, h.eventTypes()); d != "" {
		t.Fatal(d)
	}
	h.restart()
	h.see(1, online(true))
	if got := h.eventTypes(); !slices.Equal(got, []string{"device_gone", "device_returned"}) {
		t.Errorf("events %v, want gone, returned", got)
	}
}

func TestEventsAreKeptTenMinutesAndNumbersRise(t *testing.T) {
	h := newHome(t, 0)
	h.see(1, nil)
	first := h.events[len(h.events)-1].Seq
	h.wait(2 * time.Hour)
	if n := len(h.events); n != 0 {
		t.Errorf("%d old events are kept", n)
	}
	h.o.State = nil // the newest numbers were not saved
	h.Home = New(h.o, h.now)
	h.see(2, nil)
	if got := h.events[0].Seq; got <= first {
		t.Errorf("seq %d after %d: numbers must rise over restarts", got, first)
	}
}

func TestDecisionsHold(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	h.see(1, telnet(true))
	if got := h.status(cameraID, "telnet-open"); got != policy.Open {
		t.Fatalf("status %q, want open", got)
	}
	until := noon.Add(30 * 24 * time.Hour)
	h.do(report.Command{Action: report.Accept, Device: cameraID, Policy: "telnet-open", Reason: "old \x1brecorder", Until: until})
	if got := h.dec.Devices[cameraID].Accepted["telnet-open"]; got.Reason != "old recorder" || !got.Until.Equal(until) {
		t.Errorf("decision %+v is not what the owner said", got)
	}
	h.restart()
	if got := h.status(cameraID, "telnet-open"); got != policy.Accepted {
		t.Errorf("after a restart: %q, want accepted", got)
	}
	h.see(1, telnet(true))
	h.wait(until.Sub(h.now) - time.Hour)
	h.see(1, telnet(true)) // still open when asked again
	h.wait(2 * time.Hour)
	if got := h.status(cameraID, "telnet-open"); got != policy.Open {
		t.Errorf("after it expired: %q, want open", got)
	}
	if got := h.dec.Devices[cameraID].Accepted; len(got) != 0 {
		t.Errorf("the expired decision is kept: %v", got)
	}
}

func TestDecisionsHoldWhenADeviceLeavesAndReturns(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	h.see(1, telnet(true))
	h.do(report.Command{Action: report.Accept, Device: cameraID, Policy: "telnet-open", Reason: "old recorder"})
	h.do(report.Command{Action: report.Trust, Device: cameraID})
	mac, _ := discovery.MAC("000c43000001")
	h.observe(discovery.Observation{By: "test", At: h.now, About: []discovery.Identifier{mac}, Gone: true}, h.now)
	h.tick(h.now)
	if _, there := h.inv.Device(cameraID); there {
		t.Fatal("the device is still there")
	}
	h.wait(time.Hour)
	h.see(1, telnet(true))
	if got := h.status(cameraID, "telnet-open"); got != policy.Accepted {
		t.Errorf("status %q, want accepted", got)
	}
	if k := h.dec.Devices[cameraID]; k.Accepted["telnet-open"].Reason != "old recorder" || !k.Trusted {
		t.Errorf("decisions %+v are not what the owner said", k)
	}
}

func TestCommandsThatMakeNoSense(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	h.see(1, nil)
	for _, tt := range []struct {
		name string
		in   report.Command
		want string
	}{
		{"unknown action", report.Command{Action: "reboot", Device: cameraID}, `unknown action "reboot"; there are trust, untrust, accept, unaccept, recheck, name, class, room, listen_only, mute, forget, merge, split, hide, unhide, pause`},
		{"no device", report.Command{Action: report.Trust}, "the command names no device"},
		{"unknown device", report.Command{Action: report.Trust, Device: "mac_00"}, `there is no device "mac_00"`},
		{"unknown policy", report.Command{Action: report.Accept, Device: cameraID, Policy: "no-such"}, `there is no policy "no-such"`},
		{"date in the past", report.Command{Action: report.Accept, Device: cameraID, Policy: "telnet-open", Until: noon.Add(-time.Hour)},
			"the time given by until, 2026-11-23, has passed"},
		{"a date that no file can hold", report.Command{Action: report.Accept, Device: cameraID, Policy: "telnet-open",
			Until: time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -7200))},
			"the date until which to accept is too far away; leave it out to accept without an end"},
		{"name of the hub", report.Command{Action: report.Name, Device: discovery.Hub, Value: "x"}, `the hub is Thingwarden itself: the action "name" is not for it`},
		{"hub muted", report.Command{Action: report.Mute, Device: discovery.Hub}, "the hub and the home's gateways can't be muted: what happens to them concerns every device"},
		{"class that is none", report.Command{Action: report.Class, Device: cameraID, Value: "toaster"}, `unknown class "toaster"`},
		{"reason too long", report.Command{Action: report.Accept, Device: cameraID, Policy: "telnet-open", Reason: strings.Repeat("ä", 501)}, "the reason is longer than 500 characters"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := h.decide(tt.in, h.now)
			if err == nil || err.Error() != tt.want {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestFloodOfNewDevices(t *testing.T) {
	h := newHome(t, 0)
	for i := range 100 {
		h.see(i+1, nil)
	}
	n := 0
	for _, e := range h.events {
		if e.Type == report.DeviceAppeared {
			n++
		}
	}
	if n != newPerHour {
		t.Errorf("%d events of new devices, want %d", n, newPerHour)
	}
	s := h.Snapshot(h.now)
	shown := 0
	for _, d := range s.Devices {
		if !d.Provisional && d.ID != discovery.Hub {
			shown++
		}
	}
	if shown != newPerHour {
		t.Errorf("%d devices are shown, want %d", shown, newPerHour)
	}
	want := report.Component{Name: "new devices", Status: discovery.Degraded,
		Error: "Unknown devices that are judged and counted here, and not shown one by one yet: 80. At most 20 an hour are shown."}
	if d := cmp.Diff(want, h.health["new devices"]); d != "" {
		t.Error(d)
	}
}

func TestRandomisedAddressIsShownAfterADayOrWhenTrusted(t *testing.T) {
	random := func(e *fact.Evidence) { fact.DeviceMACRandom.Set(e, true, "") }
	h := newHome(t, 0)
	id := h.see(1, random)
	if !h.shown[id].Provisional {
		t.Fatal("shown at once")
	}
	if got := h.eventTypes(); !slices.Contains(got, "device_appeared") {
		t.Errorf("events %v: the event must come at once", got)
	}
	h.wait(randomShown)
	if h.shown[id].Provisional {
		t.Error("still not shown after a day")
	}
	other := h.see(2, random)
	h.do(report.Command{Action: report.Trust, Device: other})
	if h.shown[other].Provisional {
		t.Error("not shown although trusted")
	}
	h.wait(randomForgotten + 2*time.Hour)
	if _, ok := h.inv.Device(id); ok {
		t.Error("kept though unseen for two weeks and without a decision")
	}
	if _, ok := h.inv.Device(other); !ok {
		t.Error("forgotten although trusted")
	}
}

func TestKnownDeviceThatIsNotSeenAfterARestartIsAway(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	h.see(1, nil)
	h.wait(time.Minute)
	h.restart()
	h.wait(unseenAfter + 2*time.Hour)
	if h.shown[cameraID].Online {
		t.Error("it is still shown as there")
	}
}

func TestHubFollowsTheHome(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	open := func(yes bool) {
		e := fact.New("zigbee2mqtt", h.now)
		fact.ZigbeeJoinOpen.Set(e, yes, fmt.Sprintf("permit_join=%v", yes))
		id, _ := discovery.Zigbee("0x00124b00aabb0001")
		h.observe(discovery.Observation{By: "zigbee2mqtt", About: []discovery.Identifier{id}, Facts: e}, h.now)
		h.tick(h.now)
	}
	for _, want := range []bool{true, false} {
		open(want)
		if got, _ := fact.HomeJoinOpen.Get(h.evidence[discovery.Hub]); got != want {
			t.Errorf("home.zigbee_join_open = %v, want %v", got, want)
		}
	}
}

func BenchmarkObserve10000(b *testing.B) {
	h := newHome(b, 24*time.Hour)
	for b.Loop() {
		for i := range 10000 {
			id, _ := discovery.MAC(fmt.Sprintf("000c43%06x", i%1000+1))
			e := fact.New("test", h.now)
			fact.DeviceKind.Set(e, "lan", "")
			fact.TelnetOpen.Set(e, i%3 == 0, "tcp/23")
			h.observe(discovery.Observation{By: "test", At: h.now, About: []discovery.Identifier{id}, Facts: e}, h.now)
		}
		h.tick(h.now)
	}
}
