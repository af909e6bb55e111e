package broker

import (
	"context"
	"strings"

	"github.com/thingwarden/thingwarden/discovery"
)

// MQTT is a session as sources and publishers see it.
type MQTT struct{ S *Session }

// Subscribe implements discovery.MQTT. Lists of a bridge's devices may be large.
func (m MQTT) Subscribe(filter string, qos byte, fn func(discovery.Message)) func() {
	limit := MaxPayload
	if strings.HasSuffix(filter, "/bridge/devices") {
		limit = MaxLargePayload
	}
	return m.S.SubscribeMax(filter, qos, limit, func(msg Message) {
		fn(discovery.Message{Topic: msg.Topic, Payload: msg.Payload, Retained: msg.Retained})
	})
}

// Connected implements discovery.MQTT.
func (m MQTT) Connected(fn func(bool)) (bool, func()) { return m.S.Connected(fn) }

// Sync is Session.Sync.
func (m MQTT) Sync(ctx context.Context) error { return m.S.Sync(ctx) }

// Publish sends messages with QoS 1, as Session.Publish does.
func (m MQTT) Publish(ctx context.Context, ms ...discovery.Message) error {
	out := make([]Message, len(ms))
	for i, msg := range ms {
		out[i] = Message{Topic: msg.Topic, Payload: msg.Payload, QoS: 1, Retained: msg.Retained}
	}
	return m.S.Publish(ctx, out...)
}
