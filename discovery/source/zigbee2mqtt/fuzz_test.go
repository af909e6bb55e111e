package zigbee2mqtt

import (
	"bytes"
	"fmt"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/source/sourcetest"
)

// seed adds the recorded payloads of topics. Large ones would only be minimised
// for minutes.
func seed(f *testing.F, add func(topic string, payload []byte)) {
	for _, name := range []string{"captured", "offline", "joining", "forged"} {
		ar, err := txtar.ParseFile("testdata/script/" + name + ".txtar")
		if err != nil {
			f.Fatal(err)
		}
		for _, s := range ar.Files {
			if how, topic, _ := bytes.Cut([]byte(s.Name), []byte(" ")); (string(how) == "live" || string(how) == "retained") && len(s.Data) < 8<<10 {
				add(string(topic), bytes.TrimSpace(s.Data))
			}
		}
	}
}

// fuzzTopic plays payloads into an instance that knows its devices, and checks
// what holds whatever comes: the recorded state of a device is lost only if a
// list without it, or a state, says so.
func fuzzTopic(f *testing.F, topic string) {
	seed(f, func(t string, payload []byte) {
		if bytes.HasSuffix([]byte(t), []byte("/"+topic)) {
			f.Add(payload, false)
			f.Add(payload, true)
		}
	})
	f.Fuzz(func(t *testing.T, payload []byte, retained bool) {
		h := newHome(clock)
		b, ok := h.found(discovery.Message{Topic: "z/bridge/info", Payload: []byte(infoShut)})
		if !ok {
			t.Fatal("not found")
		}
		play := func(topic string, payload []byte) []discovery.Observation {
			return h.message(b, discovery.Message{Topic: "z/" + topic, Payload: payload, Retained: retained}, clock)
		}
		play("bridge/state", []byte("online"))
		play("bridge/info", []byte(infoShut))
		play("bridge/devices", fmt.Appendf(nil, `[{"ieee_address":"0x%s","type":"Coordinator"},{"ieee_address":"0x000000000000000a","friendly_name":"a"}]`, stick))
		before := len(b.members)
		for _, o := range play(topic, payload) {
			sourcetest.Describe(o)
			if len(o.About) != 1 || o.About[0].Kind != discovery.ZigbeeID || len(o.About[0].Value) != 16 {
				t.Errorf("observation about %v", o.About)
			}
		}
		h.tick(h.next(clock))
		if topic != "bridge/devices" && len(b.members) < before {
			t.Errorf("%d devices of %d are left", len(b.members), before)
		}
		if len(b.coordinators()) != 1 {
			t.Error("the coordinator is lost")
		}
	})
}

func FuzzInfo(f *testing.F)         { fuzzTopic(f, "bridge/info") }
func FuzzDevices(f *testing.F)      { fuzzTopic(f, "bridge/devices") }
func FuzzEvent(f *testing.F)        { fuzzTopic(f, "bridge/event") }
func FuzzBridgeState(f *testing.F)  { fuzzTopic(f, "bridge/state") }
func FuzzAvailability(f *testing.F) { fuzzTopic(f, "a/availability") }
func FuzzDeviceState(f *testing.F) {
	f.Add([]byte(`{"update":{"state":"available","installed_version":1,"latest_version":2},"last_seen":"2026-11-22T08:06:31.888Z"}`), false)
	fuzzTopic(f, "a")
}
