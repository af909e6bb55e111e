package mqtt

import (
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
	"testing"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func FuzzConnack(f *testing.F) {
	for _, b := range probertest.Answers(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got := readConnack(b); got == accepted && (len(b) < 4 || b[0] != connack || b[3] != 0) {
			t.Errorf("%x: accepted", b)
		}
	})
}

func TestMQTTApplies(t *testing.T) {
	for _, tt := range []struct {
		id    discovery.ID
		class string
		want  bool
	}{
		{"mac_00005e005301", "", true},
		{"mac_00005e005301", "computer", true},
		{"mac_00005e005301", "phone", false},
		{"mac_00005e005301", "printer", false},
		{discovery.Hub, "hub", false},
	} {
		ev := fact.New("test", probertest.Today)
		if tt.class != "" {
			fact.DeviceClass.Set(ev, tt.class, "")
		}
		d := discovery.Device{ID: tt.id, IDs: []discovery.Identifier{discovery.IP(probertest.Addr)}}
		if got := Probe.Applies(d, ev); got != tt.want {
			t.Errorf("MQTT applies to %s of class %q: %v", tt.id, tt.class, got)
		}
	}
}
