package hass

import (
	"crypto/sha256"
	"maps"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
)

const (
	maxTopics  = 100_000          // that a mirror holds
	echoWithin = 60 * time.Second // a message of ours that has not come back by then will not
)

// mirror is what we know of our retained topics on the broker. It is not safe
// for concurrent use.
type mirror struct {
	n      names
	topics map[string]held
	// sent are the messages that we sent and that the broker has not sent back
	// yet, oldest first. What comes and is not among them is somebody else's.
	sent map[string][]sending
}

type held struct {
	sum  sum
	keys map[string]string // of a configuration
}

type sending struct {
	sum sum
	at  time.Time
}

// sum stands for a payload; the zero value for one that we do not know.
type sum [16]byte

func sumOf(payload []byte) sum {
	h := sha256.Sum256(payload)
	return sum(h[:16])
}

func newMirror(n names) *mirror {
	return &mirror{n: n, topics: map[string]held{}, sent: map[string][]sending{}}
}

// forget begins anew, but for what is still on its way: paho sends that again
// over the next connection.
func (m *mirror) forget() { clear(m.topics) }

// holds reports whether the broker holds exactly this message.
func (m *mirror) holds(w message) bool {
	h, ok := m.topics[w.topic]
	return ok && h.sum == w.sum
}

// send notes that we are about to send a message; keys are the components of a
// configuration.
func (m *mirror) send(w message, keys map[string]string, now time.Time) {
	m.sent[w.topic] = append(m.onTheWay(w.topic, now), sending{w.sum, now})
	if len(w.payload) == 0 {
		delete(m.topics, w.topic)
		return
	}
	m.topics[w.topic] = held{w.sum, keys}
}

// failed notes that nobody knows whether a message arrived.
func (m *mirror) failed(topic string) {
	m.topics[topic] = held{keys: m.topics[topic].keys}
}

func (m *mirror) onTheWay(topic string, now time.Time) []sending {
	s := m.sent[topic]
	for len(s) > 0 && now.Sub(s[0].at) > echoWithin {
		s = s[1:]
	}
	return s
}

// receive notes a message on one of our topics and reports whether it is live
// and somebody else's.
func (m *mirror) receive(msg discovery.Message, now time.Time) (foreign bool) {
	s := sumOf(msg.Payload)
	way := m.onTheWay(msg.Topic, now)
	i := slices.IndexFunc(way, func(x sending) bool { return x.sum == s })
	if i >= 0 && !msg.Retained {
		way = way[i+1:]
	}
	if len(way) == 0 {
		delete(m.sent, msg.Topic)
	} else {
		m.sent[msg.Topic] = way
	}
	if len(way) > 0 && (i >= 0 || len(msg.Payload) > 0) {
		return false // what we sent last will be what the broker holds
	}
	foreign = i < 0 && !msg.Retained
	if len(msg.Payload) == 0 {
		delete(m.topics, msg.Topic)
		return foreign
	}
	old, known := m.topics[msg.Topic]
	if known && old.sum == s {
		return false
	}
	if !known && len(m.topics) >= maxTopics {
		return false
	}
	h := held{sum: s}
	if _, ok := m.n.configOf(msg.Topic); ok {
		h.keys = readComponents(msg.Payload)
	}
	m.topics[msg.Topic] = h
	return foreign
}

// gone returns the components that the broker's configuration of a device has
// and ours has not.
func (m *mirror) gone(w deviceMessages) map[string]string {
	out := maps.Clone(m.topics[w.config.topic].keys)
	maps.DeleteFunc(out, func(key, _ string) bool { _, ok := w.keys[key]; return ok })
	return out
}

// stale returns the topics that the broker holds and nobody wants, the
// configurations first, so that no entity loses its state before it goes.
func (m *mirror) stale(wanted map[string]bool) []string {
	var configs, states []string
	for topic := range m.topics {
		if wanted[topic] {
			continue
		}
		if _, ok := m.n.configOf(topic); ok {
			configs = append(configs, topic)
		} else {
			states = append(states, topic)
		}
	}
	slices.Sort(configs)
	slices.Sort(states)
	return append(configs, states...)
}
