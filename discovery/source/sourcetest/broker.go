package sourcetest

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/thingwarden/thingwarden/discovery"
)

// Broker is an MQTT session on a broker in memory.
type Broker struct {
	mu       sync.Mutex
	up       bool
	retained map[string]string
	subs     map[int]subscription
	links    map[int]func(bool)
	n        int
	keeps    func(topic string) bool
}

type subscription struct {
	filter string
	fn     func(discovery.Message)
}

// NewBroker returns a broker that is up. Keeps says of which topics it keeps live
// messages, as if they had been sent to be retained.
func NewBroker(keeps func(topic string) bool) *Broker {
	return &Broker{up: true, keeps: keeps, retained: map[string]string{}, subs: map[int]subscription{}, links: map[int]func(bool){}}
}

// Subscribe implements discovery.MQTT.
func (b *Broker) Subscribe(filter string, _ byte, fn func(discovery.Message)) func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n++
	n := b.n
	b.subs[n] = subscription{filter, fn}
	b.replay(b.subs[n])
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subs, n)
	}
}

func (b *Broker) replay(s subscription) {
	for _, topic := range slices.Sorted(maps.Keys(b.retained)) {
		if b.up && matches(s.filter, topic) {
			s.fn(discovery.Message{Topic: topic, Payload: []byte(b.retained[topic]), Retained: true})
		}
	}
}

// Connected implements discovery.MQTT.
func (b *Broker) Connected(fn func(bool)) (bool, func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n++
	n := b.n
	b.links[n] = fn
	return b.up, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.links, n)
	}
}

// Publish brings a message: one that a client sends now, or one that the
// broker had before we subscribed.
func (b *Broker) Publish(topic, payload string, retained bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if retained || b.keeps(topic) {
		b.retained[topic] = payload
	}
	for _, s := range b.subs {
		if matches(s.filter, topic) {
			s.fn(discovery.Message{Topic: topic, Payload: []byte(payload), Retained: retained})
		}
	}
}

// SetUp changes whether the broker can be reached. It keeps what is retained.
func (b *Broker) SetUp(up bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.up = up
	for _, fn := range b.links {
		fn(up)
	}
	for _, n := range slices.Sorted(maps.Keys(b.subs)) {
		b.replay(b.subs[n])
	}
}

// Subscribers counts what was subscribed to and not given up.
func (b *Broker) Subscribers() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.subs) + len(b.links)
}

// Filters returns the filters of all subscriptions, sorted.
func (b *Broker) Filters() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, s := range b.subs {
		out = append(out, s.filter)
	}
	slices.Sort(out)
	return out
}

func matches(filter, topic string) bool {
	f, t := strings.Split(filter, "/"), strings.Split(topic, "/")
	for i, level := range f {
		if level == "#" {
			return true
		}
		if i >= len(t) || level != "+" && level != t[i] {
			return false
		}
	}
	return len(f) == len(t)
}
