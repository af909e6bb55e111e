package inventory

import (
	"fmt"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
)

// Threat T14: what only stands in a list, such as a forged one of Zigbee2MQTT, takes
// no place of a device that was heard.
func TestListsTakeNoPlace(t *testing.T) {
	h := newRoutedHome(t)
	zigbee := func(n int) discovery.Identifier { i, _ := discovery.Zigbee(fmt.Sprintf("%016x", n+1)); return i }
	lamp := zigbee(0)
	h.inv.Observe(discovery.Observation{By: "zigbee2mqtt", At: h.now, About: []discovery.Identifier{lamp}})
	for n := range 2 * MaxDevices {
		h.now = h.now.Add(time.Second)
		h.inv.Observe(discovery.Observation{By: "zigbee2mqtt", At: h.now, About: []discovery.Identifier{zigbee(n + 1)}, Quiet: true})
	}
	for _, i := range []discovery.Identifier{lamp, h.mac("camera"), h.mac("router")} {
		if _, there := h.inv.Find(i); !there {
			t.Errorf("%v had to make room", i)
		}
	}
	if n := len(h.inv.IDs()); n > MaxDevices+1 {
		t.Errorf("%d devices", n)
	}
	// One that is heard takes the place of one that is not.
	out := h.inv.Observe(discovery.Observation{By: "zigbee2mqtt", At: h.now, About: []discovery.Identifier{zigbee(1 << 20)}})
	if len(out.Appeared) != 1 || len(out.Removed) != 1 || out.Removed[0] == lamp.ID() {
		t.Errorf("appeared %v, removed %v", out.Appeared, out.Removed)
	}
}
