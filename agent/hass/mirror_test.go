package hass

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
)

func TestReadComponents(t *testing.T) {
	many := map[string]component{}
	for i := range 2 * maxComponents {
		many[fmt.Sprintf("k%05d", i)] = component{Platform: "sensor"}
	}
	manyJSON, err := json.Marshal(config{Components: many})
	if err != nil {
		t.Fatal(err)
	}
	if got := readComponents(manyJSON); len(got) != maxComponents {
		t.Errorf("%d components of %d were read", len(got), len(many))
	}
	ours := messages(snapshot(), testOptions(), nil)[0]
	for _, tt := range []struct {
		name, in string
		want     map[string]string
	}{
		{"our own", string(ours.config.payload), ours.keys},
		{"short names", `{"cmps":{"a":{"p":"sensor","x":1}}}`, map[string]string{"a": "sensor"}},
		{"no JSON", `{{`, nil},
		{"no object", `[]`, nil},
		{"no components", `{}`, map[string]string{}},
		{"bad key and platform", `{"components":{"a/b":{"platform":"sensor"},"c":{"platform":"{{ x }}"},"d":{}}}`, map[string]string{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, readComponents([]byte(tt.in))); d != "" {
				t.Error(d)
			}
		})
	}
}

func FuzzReadComponents(f *testing.F) {
	f.Add([]byte(`{"components":{"a":{"platform":"sensor"}}}`))
	f.Add([]byte(`{"cmps":{"a":{"p":"sensor"}},"components":{"a":{"platform":"button"}}}`))
	schema := discoverySchema(f)
	ours := messages(snapshot(), testOptions(), nil)[0]
	f.Fuzz(func(t *testing.T, in []byte) {
		keys := readComponents(in)
		if len(keys) > maxComponents {
			t.Fatalf("%d components", len(keys))
		}
		// Whatever a forged configuration holds, what we answer is no worse for it.
		m := newMirror(names{"home", "homeassistant"})
		m.receive(discovery.Message{Topic: ours.config.topic, Payload: in}, time.Time{})
		gone := m.gone(ours)
		for key := range gone {
			if strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
				delete(gone, key) // Home Assistant takes it, our schema is narrower
			}
		}
		for key := range gone {
			if len(key) > 80 {
				delete(gone, key)
			}
		}
		if b := ours.without(gone); !bytes.Equal(in, b) {
			validate(t, schema, b)
		}
	})
}

// TestMirror follows messages in the order in which a broker sends them back.
func TestMirror(t *testing.T) {
	n := names{"home", "homeassistant"}
	topic := n.config("mac_1")
	const empty = "-"
	type step struct {
		send, receive string
		retained      bool
		foreign       bool
		after         time.Duration
	}
	payload := func(s string) []byte { return []byte(strings.TrimPrefix(s, empty)) }
	for _, tt := range []struct {
		name  string
		steps []step
		holds string
	}{
		{"echo", []step{{send: "1"}, {receive: "1"}}, "1"},
		{"two echoes", []step{{send: "1"}, {send: "2"}, {receive: "1"}, {receive: "2"}}, "2"},
		{"somebody else before ours", []step{{send: "1"}, {receive: "x"}, {receive: "1"}}, "1"},
		{"somebody else after ours", []step{{send: "1"}, {receive: "1"}, {receive: "x", foreign: true}}, "x"},
		{"the same as ours", []step{{send: "1"}, {receive: "1"}, {receive: "1"}}, "1"},
		{"deleted", []step{{send: "1"}, {receive: "1"}, {receive: empty, foreign: true}}, ""},
		{"deleted while ours is on its way", []step{{send: "1"}, {receive: empty, foreign: true}, {receive: "1"}}, "1"},
		{"cleared by us", []step{{send: "1"}, {send: empty}, {receive: "1"}, {receive: empty}}, ""},
		{"cleared by us and sent again", []step{{send: empty}, {send: "1"}, {receive: empty}, {receive: "1"}}, "1"},
		{"retained at the start", []step{{receive: "1", retained: true}}, "1"},
		{"echo that never came", []step{{send: empty}, {send: "1"}, {receive: "1"}, {receive: empty, foreign: true, after: 2 * echoWithin}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMirror(n)
			now := noon
			for i, s := range tt.steps {
				now = now.Add(s.after)
				if s.send != "" {
					m.send(newMessage(topic, payload(s.send)), nil, now)
					continue
				}
				if got := m.receive(discovery.Message{Topic: topic, Payload: payload(s.receive), Retained: s.retained}, now); got != s.foreign {
					t.Errorf("step %d: foreign %v", i, got)
				}
			}
			if _, ok := m.topics[topic]; ok != (tt.holds != "") || ok && !m.holds(newMessage(topic, []byte(tt.holds))) {
				t.Errorf("holds %v", m.topics)
			}
		})
	}
}
