package e2e

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

// lockedBuffer is a buffer that is read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// onlooker sees everything on a broker.
type onlooker struct {
	t      testing.TB
	client mqtt.Client

	mu       sync.Mutex
	retained map[string][]byte
	since    map[string]time.Time // of the first message on a topic
	events   []map[string]any
	messages int // of all sorts
}

// look connects to a broker as somebody of the tests.
func look(t testing.TB, m *lab.Mosquitto) *onlooker {
	t.Helper()
	o := &onlooker{t: t, retained: map[string][]byte{}, since: map[string]time.Time{}}
	opts := mqtt.NewClientOptions().AddBroker("tcp://" + m.Addr).SetClientID("onlooker").
		SetUsername(brokerUser).SetPassword(brokerPassword).SetOrderMatters(true)
	opts.SetOnConnectHandler(func(c mqtt.Client) { c.Subscribe("#", 1, func(_ mqtt.Client, m mqtt.Message) { o.take(m) }) })
	o.client = mqtt.NewClient(opts)
	if tok := o.client.Connect(); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatalf("connecting to the broker: %v", tok.Error())
	}
	t.Cleanup(func() { o.client.Disconnect(100) })
	return o
}

func (o *onlooker) take(m mqtt.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.messages++
	topic := m.Topic()
	if strings.Contains(topic, "/event/") {
		var e map[string]any
		if json.Unmarshal(m.Payload(), &e) == nil {
			o.events = append(o.events, e)
		}
		return
	}
	if len(m.Payload()) == 0 {
		delete(o.retained, topic)
		delete(o.since, topic)
		return
	}
	o.retained[topic] = m.Payload()
	if _, ok := o.since[topic]; !ok {
		o.since[topic] = time.Now()
	}
}

// heard returns how many messages there were.
func (o *onlooker) heard() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.messages
}

// get returns the last payload of a topic, and when the topic first had one.
func (o *onlooker) get(topic string) (payload []byte, since time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.retained[topic], o.since[topic]
}

// topics returns the topics that begin with a prefix.
func (o *onlooker) topics(prefix string) (out []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for t := range o.retained {
		if strings.HasPrefix(t, prefix) {
			out = append(out, t)
		}
	}
	return out
}

// device returns the configuration and the state of a device.
func (o *onlooker) device(id string) (config, state map[string]any) {
	c, _ := o.get("homeassistant/device/thingwarden_home_" + id + "/config")
	s, _ := o.get("thingwarden/home/" + id + "/state")
	_ = json.Unmarshal(c, &config)
	_ = json.Unmarshal(s, &state)
	return config, state
}

// finding returns the state and attributes of a finding; "" if there is none.
func (o *onlooker) finding(id, policy string) (state string, attr map[string]any) {
	b, _ := o.get("thingwarden/home/" + id + "/" + policy)
	var f struct {
		State string         `json:"state"`
		Attr  map[string]any `json:"attr"`
	}
	_ = json.Unmarshal(b, &f)
	return f.State, f.Attr
}

// informs reports whether a device's attributes have a policy among what only informs.
func informs(attr map[string]any, policy string) bool {
	list, _ := attr["info"].([]any)
	return slices.ContainsFunc(list, func(x any) bool {
		f, _ := x.(map[string]any)
		return f["policy"] == policy
	})
}

// publish sends a message.
func (o *onlooker) publish(topic, payload string, retain bool) {
	o.t.Helper()
	if tok := o.client.Publish(topic, 1, retain, payload); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		o.t.Fatalf("publishing on %s: %v", topic, tok.Error())
	}
}
