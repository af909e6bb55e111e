package inventory

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

var (
	noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	lan  = discovery.Networks{Watched: []discovery.Network{
		{Interface: "eth0", Index: 2, Prefix: netip.MustParsePrefix("10.0.0.0/24"), Own: netip.MustParseAddr("10.0.0.2")},
		{Interface: "eth0", Index: 2, Prefix: netip.MustParsePrefix("fe80::/64"), Own: netip.MustParseAddr("fe80::2")},
	}}
)

// testSources are the sources that the tests speak for.
var testSources = []discovery.SourceKind{
	{Name: "static", Rank: discovery.RankOwner, Role: discovery.Opinion}, {Name: "zigbee2mqtt", Rank: discovery.RankBridge},
	{Name: "mdns", Rank: discovery.RankAnnounced, Role: discovery.NamesMachines}, {Name: "neighbours", Rank: discovery.RankAddress, Role: discovery.Resolves},
}

func newTestInventory(keep ...discovery.ID) *Inventory {
	return New(func() discovery.Networks { return lan }, testSources,
		func(id discovery.ID) bool { return slices.Contains(keep, id) }, noon)
}

func mac(t testing.TB, s string) discovery.Identifier {
	t.Helper()
	i, ok := discovery.MAC(s)
	if !ok {
		t.Fatalf("bad MAC %q", s)
	}
	return i
}

func ip(s string) discovery.Identifier      { return discovery.IP(netip.MustParseAddr(s)) }
func claimed(s string) discovery.Identifier { return discovery.Claimed(netip.MustParseAddr(s)) }

const (
	macA = "02:00:00:00:00:0a"
	macB = "02:00:00:00:00:0b"
)

func TestIdentity(t *testing.T) {
	title := func(s string) *fact.Evidence {
		e := fact.New("http", noon)
		fact.HTTPTitle.Set(e, s, "")
		return e
	}
	type step struct {
		by    string
		about []discovery.Identifier
		facts *fact.Evidence
		after time.Duration // before this step, with a Tick
	}
	a, b := mac(t, macA), mac(t, macB)
	zb, _ := discovery.Zigbee("0x00158d0001a2b3c4")
	for _, tt := range []struct {
		name   string
		steps  []step
		want   map[discovery.ID][]discovery.Identifier // devices and their identifiers
		titles map[discovery.ID]string
	}{
		{
			name:  "MAC and address together",
			steps: []step{{by: "neighbours", about: []discovery.Identifier{a, ip("10.0.0.9")}}},
			want:  map[discovery.ID][]discovery.Identifier{"mac_02000000000a": {ip("10.0.0.9"), a}},
		},
		{
			name: "facts about an address go to its owner",
			steps: []step{
				{by: "neighbours", about: []discovery.Identifier{a, ip("10.0.0.9")}},
				{by: "http", about: []discovery.Identifier{ip("10.0.0.9")}, facts: title("x")},
			},
			want:   map[discovery.ID][]discovery.Identifier{"mac_02000000000a": {ip("10.0.0.9"), a}},
			titles: map[discovery.ID]string{"mac_02000000000a": "x"},
		},
		{
			name: "facts about an address wait for the MAC",
			steps: []step{
				{by: "mdns", about: []discovery.Identifier{ip("10.0.0.9")}, facts: title("early")},
				{by: "neighbours", about: []discovery.Identifier{a, ip("10.0.0.9")}, after: time.Second},
			},
			want:   map[discovery.ID][]discovery.Identifier{"mac_02000000000a": {ip("10.0.0.9"), a}},
			titles: map[discovery.ID]string{"mac_02000000000a": "early"},
		},
		{
			name: "an address without MAC becomes a device, and is promoted later",
			steps: []step{
				{by: "mdns", about: []discovery.Identifier{ip("10.0.0.9")}, facts: title("t")},
				{by: "neighbours", about: []discovery.Identifier{a, ip("10.0.0.9")}, after: time.Minute},
			},
			want:   map[discovery.ID][]discovery.Identifier{"mac_02000000000a": {ip("10.0.0.9"), a}},
			titles: map[discovery.ID]string{"mac_02000000000a": "t"},
		},
		{
			name:  "a routed address is a device at once",
			steps: []step{{by: "x", about: []discovery.Identifier{ip("10.7.0.9")}}},
			want:  map[discovery.ID][]discovery.Identifier{"ip_10_7_0_9": {ip("10.7.0.9")}},
		},
		{
			name:  "a public address is no device",
			steps: []step{{by: "x", about: []discovery.Identifier{ip("203.0.113.9")}}},
			want:  map[discovery.ID][]discovery.Identifier{},
		},
		{
			name: "T12: a claim does not take over an address",
			steps: []step{
				{by: "neighbours", about: []discovery.Identifier{a, ip("10.0.0.9")}},
				{by: "neighbours", about: []discovery.Identifier{b, claimed("10.0.0.9")}},
				{by: "http", about: []discovery.Identifier{ip("10.0.0.9")}, facts: title("of a")},
			},
			want:   map[discovery.ID][]discovery.Identifier{"mac_02000000000a": {ip("10.0.0.9"), a}, "mac_02000000000b": {b}},
			titles: map[discovery.ID]string{"mac_02000000000a": "of a", "mac_02000000000b": ""},
		},
		{
			name: "the kernel's word moves an address",
			steps: []step{
				{by: "neighbours", about: []discovery.Identifier{a, ip("10.0.0.9")}},
				{by: "neighbours", about: []discovery.Identifier{b, ip("10.0.0.9")}},
			},
			want: map[discovery.ID][]discovery.Identifier{"mac_02000000000a": {a}, "mac_02000000000b": {ip("10.0.0.9"), b}},
		},
		{
			name: "a claim binds what nobody has, and is confirmed",
			steps: []step{
				{by: "neighbours", about: []discovery.Identifier{a, claimed("10.0.0.9")}},
				{by: "neighbours", about: []discovery.Identifier{a, ip("10.0.0.9")}},
			},
			want: map[discovery.ID][]discovery.Identifier{"mac_02000000000a": {ip("10.0.0.9"), a}},
		},
		{
			name: "two strong identities never merge",
			steps: []step{
				{by: "neighbours", about: []discovery.Identifier{a}},
				{by: "zigbee2mqtt", about: []discovery.Identifier{zb}},
				{by: "x", about: []discovery.Identifier{a, zb}},
			},
			want: map[discovery.ID][]discovery.Identifier{"mac_02000000000a": {a}, "zigbee_00158d0001a2b3c4": {zb}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inv, now := newTestInventory(), noon
			for _, s := range tt.steps {
				now = now.Add(s.after)
				inv.Tick(now)
				inv.Observe(discovery.Observation{By: s.by, At: now, About: s.about, Facts: s.facts})
			}
			got := map[discovery.ID][]discovery.Identifier{}
			for _, id := range inv.IDs() {
				if id != discovery.Hub {
					d, _ := inv.Device(id)
					got[id] = d.IDs
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("devices (-want +got):\n%s", d)
			}
			for id, want := range tt.titles {
				if title, _ := fact.HTTPTitle.Get(inv.Evidence(id, now)); title != want {
					t.Errorf("%s: title %q, want %q", id, title, want)
				}
			}
		})
	}
}

func TestRenamedWhenPromoted(t *testing.T) {
	inv := newTestInventory()
	inv.Observe(discovery.Observation{By: "mdns", At: noon, About: []discovery.Identifier{ip("10.0.0.9")}, Name: "cam"})
	out, _ := inv.Tick(noon.Add(time.Minute))
	if d := cmp.Diff([]discovery.ID{"ip_10_0_0_9"}, out.Appeared); d != "" {
		t.Fatal(d)
	}
	got := inv.Observe(discovery.Observation{By: "neighbours", At: noon.Add(time.Hour), About: []discovery.Identifier{mac(t, macA), ip("10.0.0.9")}})
	if d := cmp.Diff(map[discovery.ID]discovery.ID{"ip_10_0_0_9": "mac_02000000000a"}, got.Renamed); d != "" {
		t.Fatal(d)
	}
	d, _ := inv.Device("mac_02000000000a")
	if d.Name != "cam" || !d.FirstSeen.Equal(noon.Add(0)) {
		t.Errorf("name %q first seen %v; want those of the address", d.Name, d.FirstSeen)
	}
}

func TestPrecedence(t *testing.T) {
	inv, now := newTestInventory(), noon
	about := []discovery.Identifier{mac(t, macA)}
	report := func(by, name, model string, why fact.Why) {
		e := fact.New(by, now)
		if model != "" {
			fact.DeviceModel.Set(e, model, by)
		} else {
			fact.DeviceModel.Unknown(e, why)
		}
		inv.Observe(discovery.Observation{By: by, At: now, About: about, Name: name, Facts: e})
	}
	check := func(wantName, wantModel string) {
		t.Helper()
		d, _ := inv.Device("mac_02000000000a")
		model, _ := fact.DeviceModel.Get(inv.Evidence(d.ID, now))
		if d.Name != wantName || model != wantModel {
			t.Errorf("name %q, model %q; want %q, %q", d.Name, model, wantName, wantModel)
		}
	}
	report("neighbours", "host-7", "", fact.NotReported)
	check("host-7", "")
	report("mdns", "Camera", "C1", "")
	check("Camera", "C1")
	report("http", "", "C1 v2", "")
	check("Camera", "C1 v2")
	report("static", "Porch", "", fact.NotReported)
	check("Porch", "C1 v2")
	inv.Observe(discovery.Observation{By: "http", At: now, About: about, Gone: true})
	check("Porch", "C1")
}

// TestSureBeforeLikelyThenRank: of what several say of a word, what is sure comes
// before what is likely, then what was told since the restart, then the rank.
func TestSureBeforeLikelyThenRank(t *testing.T) {
	type word struct {
		by, model string // "" for unknown
		likely    bool
		restored  bool
	}
	sure := func(by string) word { return word{by: by, model: by + "'s"} }
	likely := func(by string) word { return word{by: by, model: by + "'s", likely: true} }
	restored := func(w word) word { w.restored = true; return w }
	for _, tt := range []struct {
		name   string
		report []word
		want   string
	}{
		{"both sure: rank", []word{sure("mdns"), sure("http")}, "http's"},
		{"both likely: rank", []word{likely("mdns"), likely("http")}, "http's"},
		{"sure before a likely word of higher rank", []word{sure("neighbours"), likely("zigbee2mqtt")}, "neighbours's"},
		{"a likely word of the owner gives way too", []word{likely("static"), sure("mdns")}, "mdns's"},
		{"the owner before all that are sure", []word{sure("zigbee2mqtt"), sure("http"), sure("static")}, "static's"},
		{"the order of telling does not matter", []word{sure("static"), sure("http"), sure("zigbee2mqtt")}, "static's"},
		{"unknown of higher rank gives way to likely", []word{{by: "zigbee2mqtt"}, likely("mdns")}, "mdns's"},
		{"one rank: by name", []word{sure("rtsp"), sure("http")}, "http's"},
		{"told since the restart before rank", []word{restored(sure("http")), sure("mdns")}, "mdns's"},
		{"sure before the restart before likely since", []word{restored(sure("mdns")), likely("http")}, "mdns's"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inv := newTestInventory()
			for _, w := range tt.report {
				e := fact.New(w.by, noon)
				n := fact.Entry{Name: fact.DeviceModel.Name(), By: w.by, At: noon, Likely: w.likely}
				if w.model == "" {
					n.Why = fact.NotReported
				} else if n.Value = w.model; w.restored {
					n.Why = fact.Restored
				}
				e.Put(n)
				inv.Observe(discovery.Observation{By: w.by, At: noon, About: []discovery.Identifier{mac(t, macA)}, Facts: e})
			}
			if got, _ := fact.DeviceModel.Get(inv.Evidence("mac_02000000000a", noon)); got != tt.want {
				t.Errorf("model %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLiveWordsAndAgeingWords(t *testing.T) {
	inv := newTestInventory()
	about := []discovery.Identifier{mac(t, macA)}
	observe := func(at time.Time, set func(*fact.Evidence)) {
		e := fact.New("x", at)
		set(e)
		inv.Observe(discovery.Observation{By: "x", At: at, About: about, Facts: e})
	}
	observe(noon, func(e *fact.Evidence) {
		fact.TelnetOpen.Set(e, true, "tcp/23")
		fact.HomeKitPaired.Set(e, false, "sf=1")
	})
	observe(noon.Add(time.Hour), func(e *fact.Evidence) {
		fact.TelnetOpen.Unknown(e, fact.NoAnswer)
		fact.HomeKitPaired.Unknown(e, fact.NotReported)
	})
	ev := inv.Evidence("mac_02000000000a", noon.Add(time.Hour))
	if _, ok := fact.TelnetOpen.Get(ev); !ok {
		t.Error("what was learned is lost because the device did not answer once")
	}
	if _, ok := fact.HomeKitPaired.Get(ev); ok {
		t.Error("a live word stays known when its source says that it is not told any more")
	}
	week := noon.Add(7 * 24 * time.Hour)
	if changed, _ := inv.Expire(week); !slices.Contains(changed, "mac_02000000000a") {
		t.Error("nothing expired after a week")
	}
	if n, _ := inv.Evidence("mac_02000000000a", week).Entry("telnet.open"); n.Why != fact.Stale {
		t.Errorf("telnet.open is %+v, want stale", n)
	}
}

func TestSourceDownAndGone(t *testing.T) {
	inv := newTestInventory()
	zb, _ := discovery.Zigbee("0x00158d0001a2b3c4")
	e := fact.New("zigbee2mqtt", noon)
	fact.ZigbeeJoinOpen.Set(e, true, "permit_join=true")
	fact.DeviceModel.Set(e, "M", "")
	inv.Observe(discovery.Observation{By: "zigbee2mqtt", At: noon, About: []discovery.Identifier{zb}, Facts: e})
	inv.SourceDown("zigbee2mqtt")
	ev := inv.Evidence("zigbee_00158d0001a2b3c4", noon)
	if n, _ := ev.Entry("zigbee.join_open"); n.Why != fact.SourceDown {
		t.Errorf("join_open is %+v, want source-down", n)
	}
	if _, ok := fact.DeviceModel.Get(ev); !ok {
		t.Error("the model is forgotten because the source is down")
	}
	inv.Observe(discovery.Observation{By: "static", At: noon, About: []discovery.Identifier{zb}, Name: "lock"})
	out := inv.Observe(discovery.Observation{By: "zigbee2mqtt", At: noon, About: []discovery.Identifier{zb}, Gone: true})
	if d := cmp.Diff([]discovery.ID{"zigbee_00158d0001a2b3c4"}, out.Removed); d != "" {
		t.Error(d)
	}
}

func TestFloodMakesRoomButKeepsDecisions(t *testing.T) {
	kept := discovery.ID("mac_020000000001")
	inv := newTestInventory(kept)
	for i := range MaxDevices + 500 {
		id, _ := discovery.MAC(fmt.Sprintf("02%010x", i+1))
		inv.Observe(discovery.Observation{By: "neighbours", At: noon.Add(time.Duration(i) * time.Second), About: []discovery.Identifier{id}})
	}
	if n := len(inv.IDs()); n > MaxDevices+1 {
		t.Errorf("%d devices, want at most %d", n, MaxDevices)
	}
	if _, ok := inv.Device(kept); !ok {
		t.Error("a device with a decision had to make room")
	}
}

func TestNewDeviceIsLeftOutWhenAllAreKept(t *testing.T) {
	inv := New(func() discovery.Networks { return discovery.Networks{} }, nil, func(discovery.ID) bool { return true }, noon)
	var out Outcome
	for i := range MaxDevices + 1 {
		id, _ := discovery.MAC(fmt.Sprintf("02%010x", i+1))
		out = inv.Observe(discovery.Observation{By: "neighbours", At: noon, About: []discovery.Identifier{id}})
		if i < MaxDevices && (out.Full || len(out.Appeared) != 1) {
			t.Fatalf("device %d: %+v", i+1, out)
		}
	}
	if !out.Full || len(out.Appeared)+len(out.Changed)+len(out.Removed) > 0 {
		t.Errorf("one too many: %+v", out)
	}
	if n := len(inv.IDs()); n != MaxDevices+1 {
		t.Errorf("%d devices with the hub, want %d", n, MaxDevices+1)
	}
}

func TestOneDeviceCannotOwnEveryAddress(t *testing.T) {
	inv := newTestInventory()
	for i := range 200 {
		inv.Observe(discovery.Observation{By: "neighbours", At: noon, About: []discovery.Identifier{mac(t, macA), ip(fmt.Sprintf("10.0.0.%d", i+3))}})
	}
	d, _ := inv.Device("mac_02000000000a")
	if len(d.IDs) > maxIDs {
		t.Errorf("%d identifiers, want at most %d", len(d.IDs), maxIDs)
	}
	if len(inv.owner) > maxIDs {
		t.Errorf("%d identifiers are owned, want at most %d", len(inv.owner), maxIDs)
	}
}

func TestSaveRestore(t *testing.T) {
	inv := newTestInventory()
	e := fact.New("telnet", noon)
	fact.TelnetOpen.Set(e, true, "tcp/23")
	e.Finish("telnet")
	inv.Observe(discovery.Observation{By: "neighbours", At: noon, About: []discovery.Identifier{mac(t, macA), ip("10.0.0.9"), claimed("10.0.0.10")}, Name: "n"})
	inv.Observe(discovery.Observation{By: "telnet", At: noon, About: []discovery.Identifier{mac(t, macA)}, Facts: e, Services: []discovery.Service{{Proto: "tcp", Port: 23, Name: "telnet"}}})
	b, err := json.Marshal(inv.Save())
	if err != nil {
		t.Fatal(err)
	}
	var saved []SavedDevice
	if err := json.Unmarshal(b, &saved); err != nil {
		t.Fatal(err)
	}
	again := newTestInventory()
	again.Restore(saved)
	if d := cmp.Diff(inv.Save(), again.Save(), cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
	if !again.Evidence("mac_02000000000a", noon).Finished("telnet") {
		t.Error("telnet is not finished any more")
	}
}

func TestDerive(t *testing.T) {
	open, closed, silent, down, away := fact.New("x", noon), fact.New("x", noon), fact.New("x", noon), fact.New("x", noon), fact.New("x", noon)
	fact.ZigbeeJoinOpen.Unknown(down, fact.SourceDown)
	fact.ZigbeeJoinOpen.Unknown(away, fact.NotReported)
	fact.DeviceOnline.Set(away, false, "")
	fact.ZigbeeJoinOpen.Set(open, true, "permit_join=true")
	fact.ZigbeeJoinOpen.Set(closed, false, "")
	for _, tt := range []struct {
		name string
		in   map[discovery.ID]*fact.Evidence
		want fact.Entry
	}{
		{"one of two open", map[discovery.ID]*fact.Evidence{"a": closed, "b": open},
			fact.Entry{Name: "home.zigbee_join_open", Value: true, Proof: "permit_join=true", By: "derive", At: noon}},
		{"all closed", map[discovery.ID]*fact.Evidence{"a": closed, "b": silent},
			fact.Entry{Name: "home.zigbee_join_open", Value: false, By: "derive", At: noon}},
		{"one of two can't be reached", map[discovery.ID]*fact.Evidence{"a": closed, "b": down},
			fact.Entry{Name: "home.zigbee_join_open", Why: fact.SourceDown, By: "derive", At: noon}},
		{"one can't be reached, another is open", map[discovery.ID]*fact.Evidence{"a": down, "b": open},
			fact.Entry{Name: "home.zigbee_join_open", Value: true, Proof: "permit_join=true", By: "derive", At: noon}},
		{"one is away", map[discovery.ID]*fact.Evidence{"a": closed, "b": away},
			fact.Entry{Name: "home.zigbee_join_open", Value: false, By: "derive", At: noon}},
		{"nobody says", map[discovery.ID]*fact.Evidence{"b": silent},
			fact.Entry{Name: "home.zigbee_join_open", Why: fact.NotReported, By: "derive", At: noon}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := Derive(tt.in, noon).Facts.Entry("home.zigbee_join_open")
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
