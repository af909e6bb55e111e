package agent

import (
	"net/netip"
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
