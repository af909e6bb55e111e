package agent

import (
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/agent/home"
	"github.com/thingwarden/thingwarden/agent/offline"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/builtin"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/product"
)

func TestMedicalDevicesOfTheConfigurationAreNeverProbed(t *testing.T) {
	cfg := config.Default()
	cfg.Devices = []config.Device{
		{Match: "10.0.0.9", Class: "medical"},
		{Match: "00:0c:43:00:00:02", Class: "alarm"},
		{Match: "00:0c:43:00:00:03", Class: "camera"},
	}
	a := &Agent{opt: Options{Config: cfg}}
	id := func(s string) discovery.Identifier { i, _ := discovery.ParseID(s); return i }
	for _, tt := range []struct {
		name string
		in   []discovery.Identifier
		want bool
	}{
		{"by its address", []discovery.Identifier{id("000c43000001"), id("10.0.0.9")}, true},
		{"by an address that it only claims", []discovery.Identifier{discovery.Claimed(netip.MustParseAddr("10.0.0.9"))}, true},
		{"by its MAC", []discovery.Identifier{id("000c43000002")}, true},
		{"of another class", []discovery.Identifier{id("000c43000003")}, false},
		{"not named", []discovery.Identifier{id("000c43000004")}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// Nothing has told the class yet: the evidence is empty.
			if got := a.neverProbe(discovery.Device{IDs: tt.in}, fact.New("test", noon)); got != tt.want {
				t.Errorf("left alone: %v, want %v", got, tt.want)
			}
		})
	}
}

// seeDevice reports a LAN device to the loop as a source does.
func seeDevice(l *loop, ids ...discovery.Identifier) {
	e := fact.New("neighbours", noon)
	fact.DeviceKind.Set(e, "lan", "")
	l.apply(home.Observation{Observation: discovery.Observation{By: "neighbours", At: noon, About: ids, Facts: e}}, noon)
	l.apply(home.Tick{}, noon)
}

// quietAgent is an agent with a prober that asks nobody, and its loop.
func quietAgent(t *testing.T) *Agent {
	t.Helper()
	set, err := offline.LoadPolicies(config.Default())
	if err != nil {
		t.Fatal(err)
	}
	lan := discovery.Networks{Watched: []discovery.Network{{Interface: "eth0", Prefix: netip.MustParsePrefix("10.0.0.0/24")}}}
	networks := func() discovery.Networks { return lan }
	now := func() time.Time { return noon }
	a := &Agent{
		now: now, log: slog.New(slog.DiscardHandler), resolving: rate.NewLimiter(0, 0),
		prober: prober.New(prober.Options{Networks: networks, Now: now}),
	}
	cards, err := product.Load()
	if err != nil {
		t.Fatal(err)
	}
	a.loop = newLoop(a, home.New(home.Options{
		Policies: set, Cards: cards, Watch: true, Learning: 24 * time.Hour, Decisions: home.NewDecisions(noon), Sources: builtin.Sources, Networks: networks, Pending: a.prober.Pending,
	}, noon))
	return a
}

func TestDevicesLeftAloneAreShownUntilTheOwnerChecksThem(t *testing.T) {
	a := quietAgent(t)
	mac, _ := discovery.MAC("000c43000001")
	a.prober.Restore([]discovery.ID{cameraID})
	seeDevice(a.loop, mac)
	shown := func() report.Component { return health(a.loop.home.Snapshot(noon), "devices left alone") }
	want := `Stopped responding twice right after being probed. Thingwarden now only listens to them; press "Check now" to probe again: mac_000c43000001.`
	if got := shown(); got.Status != discovery.Degraded || got.Error != want {
		t.Errorf("health %+v, want %q", got, want)
	}
	recheck := func(id discovery.ID) {
		a.loop.apply(home.Do{Command: report.Command{Action: report.Recheck, Device: id}}, noon)
	}
	recheck(discovery.Hub)
	if len(a.prober.Fragile()) != 1 {
		t.Error("a look at the whole home asks a device that cannot bear it")
	}
	recheck(cameraID)
	if got := shown(); got.Status != discovery.OK || len(a.prober.Fragile()) != 0 {
		t.Errorf("health %+v and left alone %v after the owner's word", got, a.prober.Fragile())
	}
}

// Whoever asks first gets his share, and all together never more than that in any
// second.
func TestShareOfTheHome(t *testing.T) {
	var s share
	start := time.Unix(1_000_000, 0)
	var sent []time.Time
	send := func(now time.Time, n int) {
		s.count(n, now)
		for range n {
			sent = append(sent, now)
		}
	}
	for now := start; now.Before(start.Add(5 * time.Second)); now = now.Add(7 * time.Millisecond) {
		if now.Sub(start)%(70*time.Millisecond) == 0 {
			send(now, 1) // one who sends little and does not ask
		}
		for range 20 { // one who has much to send
			if s.pause(now) == 0 {
				send(now, 1)
			}
		}
	}
	if len(sent) < 5*sharePerSec {
		t.Errorf("%d datagrams in five seconds: the share is not used", len(sent))
	}
	for i, first := range sent {
		n := 0
		for _, at := range sent[i:] {
			if at.Sub(first) < time.Second {
				n++
			}
		}
		if n > 300 {
			t.Fatalf("%d datagrams within the second after %v", n, first.Sub(start))
		}
	}
	if got := s.pause(start.Add(time.Hour)); got != 0 {
		t.Errorf("an hour later there is a pause of %v", got)
	}
}

// TestFragileMarkHoldsWhenADeviceGetsABetterIdentity: a device beyond a router comes
// to the hub's own network, where its hardware address is seen.
func TestFragileMarkHoldsWhenADeviceGetsABetterIdentity(t *testing.T) {
	at := netip.MustParseAddr("10.0.1.9")
	a := quietAgent(t)
	seeDevice(a.loop, discovery.IP(at))
	a.prober.Restore([]discovery.ID{"ip_10_0_1_9"})
	mac, _ := discovery.MAC("000c43000001")
	seeDevice(a.loop, mac, discovery.IP(at))
	if got := a.prober.Fragile(); !slices.Equal(got, []discovery.ID{cameraID}) {
		t.Errorf("left alone is %v", got)
	}
}
