package agent

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

func TestMedicalDevicesOfTheConfigurationAreNeverAsked(t *testing.T) {
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

func TestDevicesLeftAloneAreShownUntilTheOwnerAsksForThem(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	h.see(1, nil)
	a := &Agent{prober: discovery.NewProber(discovery.ProberOptions{Networks: h.o.networks, Now: func() time.Time { return h.now }})}
	a.prober.Restore([]discovery.ID{cameraID})
	a.passOn(h.core)
	want := `Fell silent twice right after they were asked something, so they are only listened to until you press "Check now" on them: mac_000c43000001.`
	if got := h.health["devices left alone"]; got.Status != discovery.Degraded || got.Error != want {
		t.Errorf("health %+v, want %q", got, want)
	}
	a.recheck(h.core, discovery.Hub)
	if len(a.prober.Fragile()) != 1 {
		t.Error("a look at the whole home asks a device that cannot bear it")
	}
	a.recheck(h.core, cameraID)
	if got := h.health["devices left alone"]; got.Status != discovery.OK || len(a.prober.Fragile()) != 0 {
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

// TestMarksHoldWhenADeviceGetsABetterIdentity: a device beyond a router comes to the
// hub's own network, where its hardware address is seen.
func TestMarksHoldWhenADeviceGetsABetterIdentity(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	at := netip.MustParseAddr("10.0.1.9")
	see := func(ids ...discovery.Identifier) {
		e := fact.New("neighbours", h.now)
		fact.DeviceKind.Set(e, "lan", "")
		h.observe(discovery.Observation{By: "neighbours", At: h.now, About: ids, Facts: e}, h.now)
		h.tick(h.now)
	}
	const old = discovery.ID("ip_10_0_1_9")
	see(discovery.IP(at))
	h.dec.setHidden([]discovery.ID{old}, h.now)
	a := &Agent{prober: discovery.NewProber(discovery.ProberOptions{Networks: h.o.networks, Now: func() time.Time { return h.now }})}
	a.prober.Restore([]discovery.ID{old})
	a.passOn(h.core)
	mac, _ := discovery.MAC("000c43000001")
	see(mac, discovery.IP(at))
	a.passOn(h.core)
	if got := a.prober.Fragile(); !slices.Equal(got, []discovery.ID{cameraID}) {
		t.Errorf("left alone is %v", got)
	}
	if got := h.dec.hidden(); !slices.Equal(got, []discovery.ID{cameraID}) {
		t.Errorf("deleted by the owner is %v", got)
	}
	if got := h.snapshot("home", "", "", h.now).Renamed; got[old] != cameraID {
		t.Errorf("publishers hear of the new identities %v", got)
	}
	// Somebody else gets the address: that one the owner did not delete.
	h.observe(discovery.Observation{By: "neighbours", At: h.now, About: []discovery.Identifier{mac}, Gone: true}, h.now)
	see(discovery.IP(at))
	if got := h.snapshot("home", "", "", h.now).Renamed; len(got) != 0 {
		t.Errorf("publishers still hear of %v", got)
	}
}
