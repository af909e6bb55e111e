package zigbee2mqtt

import (
	"strings"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery/source/sourcetest"
)

// TestScripts runs the source against what testdata/script says a broker does.
// Its own steps are
//
//	live TOPIC, retained TOPIC    a message with the file's content arrives
//	broker down, broker up        the connection changes; the broker keeps what is retained
func TestScripts(t *testing.T) {
	sourcetest.Scripts(t, func(t *testing.T) *sourcetest.Script {
		h := start(t, Config{})
		return &sourcetest.Script{World: h.World, HealthFirst: true, Steps: map[string]func(arg, data string){
			"live":     func(topic, data string) { h.broker.Publish(topic, data, false) },
			"retained": func(topic, data string) { h.broker.Publish(topic, data, true) },
			"broker":   func(arg, _ string) { h.broker.SetUp(arg == "up") },
		}}
	})
}

// harness is the source with a broker.
type harness struct {
	*sourcetest.World
	broker *sourcetest.Broker
}

// clock is the time at which the scripts begin, some seconds before the
// recorded window ends.
var clock = time.Date(2026, 11, 22, 8, 6, 0, 0, time.UTC)

func start(t *testing.T, cfg Config) *harness {
	began := time.Now()
	h := &harness{sourcetest.New(), sourcetest.NewBroker(kept)}
	h.Env.Now = func() time.Time { return clock.Add(time.Since(began)) }
	h.Env.MQTT = h.broker
	src, err := cfg.New(h.Env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := h.broker.Subscribers(); n != 0 {
			t.Errorf("%d subscriptions were left behind", n)
		}
	})
	h.Run(t, src)
	return h
}

// kept reports whether Zigbee2MQTT has the broker keep what it sends there.
func kept(topic string) bool {
	return strings.Contains(topic, "/bridge/") && !strings.HasSuffix(topic, "/event") || strings.HasSuffix(topic, "/availability")
}
