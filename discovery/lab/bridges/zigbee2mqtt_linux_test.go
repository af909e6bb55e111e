package bridges

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/lab"
	"github.com/thingwarden/thingwarden/discovery/source/zigbee2mqtt"
)

// The words of the weak Zigbee home. What is not there is not told.
var weakZigbee = map[string]string{
	"00124b00aabb0001": `"Coordinator" class=bridge firmware=20210708 model=zStack3x0 online=true zigbee.bridge_version=2.14.1 zigbee.default_ids=true zigbee.join_open=false zigbee.role=coordinator`,
	"00158d0001000001": `"hall_bulb" class=light firmware=1.2.217 manufacturer=IKEA model=LED1545G12 online=true zigbee.interview=successful zigbee.joined_uninvited=false zigbee.role=router zigbee.supported=true`,
	"00158d0001000002": `"kitchen_plug" class=plug firmware=2.0.024 manufacturer=IKEA model=E160x/E170x/E190x online=true update_available=true zigbee.interview=successful zigbee.joined_uninvited=false zigbee.role=router zigbee.supported=true`,
	"00158d0001000003": `"bath_climate" class=sensor firmware=3000-0001 manufacturer=Aqara model=WSDCGQ11LM online=true zigbee.interview=successful zigbee.joined_uninvited=false zigbee.role=end-device zigbee.supported=true`,
	"00158d0001000004": `"front_lock" class=lock firmware=01.20.0145 manufacturer=Danalock model=V3-BTZB/V3-BTZBE online=true zigbee.interview=successful zigbee.joined_uninvited=false zigbee.role=end-device zigbee.supported=true`,
	"00158d0001000005": `"mystery_gadget" class=switch firmware=0.0.1 manufacturer=AcmeSmart model=ACME-X1 online=true zigbee.interview=successful zigbee.joined_uninvited=false zigbee.role=router zigbee.supported=false`,
	"00158d0001000006": `"" online=false zigbee.interview=failed zigbee.joined_uninvited=false zigbee.role=unknown zigbee.supported=false`,
	"0017880101000007": `"attic_bulb" class=light firmware=1.65.9_hB3217DF4 manufacturer=Philips model=8718699673147 zigbee.interview=successful zigbee.joined_uninvited=false zigbee.role=router zigbee.supported=true`,
	"a4c1380001000008": `"smoke_hall" class=sensor manufacturer=Tuya model=TS0205_smoke_2 online=false zigbee.interview=successful zigbee.joined_uninvited=false zigbee.role=end-device zigbee.supported=true`,
}

const newcomer = `"" class=plug firmware=2.3.089 manufacturer=IKEA model=E160x/E170x/E190x online=true zigbee.interview=successful zigbee.joined_uninvited=false zigbee.role=router zigbee.supported=true`

func joinOpen(open bool) func(discovery.Observation) bool {
	return func(o discovery.Observation) bool {
		v, known := fact.ZigbeeJoinOpen.Get(o.Facts)
		return known && v == open
	}
}

func TestZigbee2MQTT(t *testing.T) {
	l := lab.New(t)
	h := l.Host("zigbee")
	m := h.Mosquitto(t, lab.MosquittoConfig{Persist: true})
	v := follow(t, new(zigbee2mqtt.Config), connect(t, m.URL()))
	z := StartZigbee2MQTT(t, h, Zigbee2MQTTConfig{Broker: m.Addr})
	id := func(ieee string) string { return strings.TrimPrefix(ieee, "0x") }

	z.Report(t, "0x00158d0001000002")
	want := maps.Clone(weakZigbee)
	v.expect(t, 20*time.Second, want)
	verdicts := map[string]string{
		"00124b00aabb0001": "zigbee-default-key low",
		"00158d0001000005": "zigbee-unknown-device low",
		"00158d0001000006": "zigbee-unknown-device low",
	}
	if d := cmp.Diff(verdicts, v.verdicts(t)); d != "" {
		t.Errorf("verdicts (-want +got):\n%s", d)
	}

	// An owner adds a device.
	began := time.Now()
	z.PermitJoin(t, time.Minute)
	lab.WaitFor(t, 10*time.Second, "the network reported as open", func() bool { return v.reported(joinOpen(true)) })
	t.Logf("open reported %v after the request was sent", time.Since(began))
	joined := time.Now()
	z.Join(t, z.Newcomer)
	lab.WaitFor(t, 10*time.Second, "the newcomer reported", func() bool { _, ok := v.words()[id(z.Newcomer)]; return ok })
	t.Logf("newcomer reported %v after it joined", time.Since(joined))
	want[id(z.Newcomer)] = newcomer
	want[id(z.Coordinator)] = strings.Replace(want[id(z.Coordinator)], "join_open=false", "join_open=true", 1)
	v.expect(t, 20*time.Second, want)
	z.PermitJoin(t, 0)
	want[id(z.Coordinator)] = weakZigbee[id(z.Coordinator)]
	v.expect(t, 10*time.Second, want)

	// It leaves, and comes back while the network is closed.
	z.Leave(t, z.Newcomer)
	delete(want, id(z.Newcomer))
	v.expect(t, 10*time.Second, want)
	time.Sleep(11 * time.Second) // for a while after it was open, a newcomer may have been invited
	z.Join(t, z.Newcomer)
	want[id(z.Newcomer)] = strings.Replace(newcomer, "uninvited=false", "uninvited=true", 1)
	v.expect(t, 20*time.Second, want)

	// The bridge dies; the broker sends its will.
	z.Kill()
	lab.WaitFor(t, 20*time.Second, "the bridge reported as down", func() bool { s, _ := v.health(); return s == discovery.Down })
	if _, problem := v.health(); problem != "Zigbee2MQTT (zigbee2mqtt) is offline." {
		t.Errorf("health says %q", problem)
	}
	for device, words := range v.words() {
		if strings.Contains(words, "online=") || strings.Contains(words, "join_open=") {
			t.Errorf("%s: while the bridge is down: %s", device, words)
		}
	}
	z.Start(t)
	v.expect(t, 30*time.Second, want)
	if s, problem := v.health(); s != discovery.OK {
		t.Errorf("health after its return: %s %s", s, problem)
	}

	// The broker dies and comes back.
	m.Kill()
	lab.WaitFor(t, 20*time.Second, "the broker reported as down", func() bool { s, _ := v.health(); return s == discovery.Down })
	m.Start(t)
	v.expect(t, 60*time.Second, want)
}

// TestZigbee2MQTTHardened: nothing is wrong in the hardened twin.
func TestZigbee2MQTTHardened(t *testing.T) {
	l := lab.New(t)
	h := l.Host("zigbee")
	m := h.Mosquitto(t, lab.MosquittoConfig{})
	StartZigbee2MQTT(t, h, Zigbee2MQTTConfig{Broker: m.Addr, BaseTopic: "home/upstairs", Hardened: true})
	v := follow(t, new(zigbee2mqtt.Config), connect(t, m.URL()))
	want := map[string]string{}
	for device, words := range weakZigbee {
		for _, of := range []string{`"hall_bulb"`, `"kitchen_plug"`, `"bath_climate"`, `"front_lock"`, `"smoke_hall"`, `"Coordinator"`} {
			if strings.HasPrefix(words, of) {
				want[device[:12]+"1"+device[13:]] = strings.NewReplacer("online=false", "online=true", " update_available=true", "",
					"default_ids=true", "default_ids=false", "20210708", "20250321").Replace(words)
			}
		}
	}
	v.expect(t, 20*time.Second, want)
	if d := cmp.Diff(map[string]string{}, v.verdicts(t)); d != "" {
		t.Errorf("verdicts (-want +got):\n%s", d)
	}
}
