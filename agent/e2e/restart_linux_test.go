package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

// TestRestartChangesNoState: whether the agent ends cleanly or is killed, its next
// start publishes no other state of a device or finding than was there before.
func TestRestartChangesNoState(t *testing.T) {
	l := lab.New(t)
	m := startBroker(t, l)
	recorder, plug, phone := l.Host("recorder"), l.Host("plug"), l.Host("phone")
	recorder.Telnetd(t, 23)
	o := look(t, m)
	a := startAgent(t, l.Hub(), brokerConfig(m)+"learning_period: 1h\n")
	lab.WaitFor(t, time.Minute, "all to be judged", func() bool {
		_, clean := o.device(macID(plug))
		_, other := o.device(macID(phone))
		_, bad := o.device(macID(recorder))
		return clean["state"] == "OFF" && other["state"] == "OFF" && bad["state"] == "ON"
	})
	before := o.states()
	for steady := time.Now(); time.Since(steady) < 5*time.Second; time.Sleep(100 * time.Millisecond) {
		if now := o.states(); !maps.Equal(before, now) {
			before, steady = now, time.Now()
		}
	}
	for _, how := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if err := a.Signal(how); err != nil {
			t.Fatal(err)
		}
		_ = a.Wait(10 * time.Second) // a killed one says so
		lab.WaitFor(t, 10*time.Second, "the agent to be gone", func() bool {
			b, _ := o.get("thingwarden/home/status")
			return string(b) == "offline"
		})
		others := make(chan string, 1000)
		o.follow(func(topic, payload string) {
			if want, ok := before[topic]; ok && stateOf([]byte(payload)) != want {
				others <- fmt.Sprintf("%s: %s, before %s", topic, stateOf([]byte(payload)), want)
			}
		})
		a.start()
		lab.WaitFor(t, 20*time.Second, "the agent to be back", func() bool {
			b, _ := o.get("thingwarden/home/status")
			return string(b) == "online"
		})
		time.Sleep(10 * time.Second) // in which all are found again
		o.follow(nil)
		for len(others) > 0 {
			t.Errorf("after %v: %s", how, <-others)
		}
		if d := cmp.Diff(before, o.states()); d != "" {
			t.Errorf("after %v (-before +after):\n%s", how, d)
		}
	}
}

// states are what entities show of the states that are on the broker.
func (o *onlooker) states() map[string]string {
	out := map[string]string{}
	for _, topic := range o.topics("thingwarden/home/") {
		b, _ := o.get(topic)
		if strings.Count(topic, "/") == 3 && topic != "thingwarden/home/hub/state" {
			out[topic] = stateOf(b)
		}
	}
	return out
}

// stateOf is what an entity shows of a state message.
func stateOf(b []byte) string {
	var s struct {
		State   any
		Score   any
		Trusted any
	}
	_ = json.Unmarshal(b, &s)
	return fmt.Sprintf("%v score %v trusted %v", s.State, s.Score, s.Trusted)
}

// follow calls fn with each state that is sent from now on; nil ends it.
func (o *onlooker) follow(fn func(topic, payload string)) {
	const filter = "thingwarden/home/+/+"
	if fn == nil {
		o.client.Unsubscribe(filter).Wait()
		return
	}
	o.client.Subscribe(filter, 1, func(_ mqtt.Client, m mqtt.Message) { fn(m.Topic(), string(m.Payload())) }).Wait()
}
