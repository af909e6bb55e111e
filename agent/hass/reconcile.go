package hass

import (
	"context"
	"maps"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
)

// batchSize is how many messages are sent before the broker's acknowledgements
// are waited for.
const batchSize = 500

// reconcile sends what is missing or differs, and clears what nobody wants: the
// hub first, for each device its configuration before its states.
func (p *Publisher) reconcile(ctx context.Context, want []deviceMessages) error {
	if err := p.publishOnline(ctx); err != nil {
		return err
	}
	wanted := map[string]bool{}
	var out []outgoing
	for _, w := range want {
		wanted[w.config.topic] = true
		for _, m := range w.states {
			wanted[m.topic] = true
		}
		out = append(out, p.plan(w)...)
	}
	out = append(out, p.clearing(wanted)...)
	maps.DeleteFunc(p.published, func(id discovery.ID, _ bool) bool { return !wanted[p.n.config(id)] })
	maps.DeleteFunc(p.configured, func(id discovery.ID, _ time.Time) bool { return !wanted[p.n.config(id)] })
	p.logMeddling()
	for i := 0; i < len(out); i += batchSize {
		if i > 0 { // what we sent comes back, and the broker's queue for it is short
			if err := p.await(func() error { return p.session.Sync(ctx) }); err != nil {
				return err
			}
		}
		if err := p.send(ctx, out[i:min(i+batchSize, len(out))]); err != nil {
			return err
		}
	}
	return nil
}

// outgoing is a message to send.
type outgoing struct {
	message
	keys   map[string]string // of a configuration's components
	device discovery.ID      // whose configuration it is; empty for a state
}

// plan is what to send for a device.
func (p *Publisher) plan(w deviceMessages) (out []outgoing) {
	if !p.waits(w.config.topic) {
		m, keys := p.target(w)
		if !p.mirror.holds(m) && !p.tooSoon(w) {
			if _, had := p.mirror.topics[m.topic]; w.id == discovery.Hub && !had {
				p.deaf = p.o.Now().Add(p.o.Settle()) // the event entities are new
			}
			out = append(out, outgoing{m, keys, w.id})
		} else if p.mirror.holds(m) {
			p.published[w.id] = true
		}
	}
	for _, m := range w.states {
		if !p.mirror.holds(m) && !p.waits(m.topic) {
			out = append(out, outgoing{message: m})
		}
	}
	return out
}

// tooSoon reports whether Home Assistant may still be busy with the device's last
// configuration, and has the next one wait if so: a component that comes while it
// loads a platform for the first time is lost for good (seen with 2026.11).
func (p *Publisher) tooSoon(w deviceMessages) bool {
	at, sent := p.configured[w.id]
	due := at.Add(p.o.Settle())
	if _, held := p.mirror.topics[w.config.topic]; !sent || !held || !p.o.Now().Before(due) {
		return false
	}
	p.due(due)
	return true
}

// target is the configuration that the broker should hold now: while it lingers,
// with the components that are to go.
func (p *Publisher) target(w deviceMessages) (m message, keys map[string]string) {
	gone := p.mirror.gone(w)
	until, lingers := p.linger[w.id]
	now := p.o.Now()
	switch {
	case len(gone) == 0:
		delete(p.linger, w.id)
		return w.config, w.keys
	case lingers && !now.Before(until):
		delete(p.linger, w.id)
		return w.config, w.keys
	case !lingers:
		until = now.Add(p.o.Linger)
		p.linger[w.id] = until
	}
	p.due(until)
	keys = maps.Clone(w.keys)
	maps.Copy(keys, gone)
	return newMessage(w.config.topic, w.without(gone)), keys
}

// clearing is what to send so that topics of ours that nobody wants are gone.
func (p *Publisher) clearing(wanted map[string]bool) (out []outgoing) {
	for _, topic := range p.mirror.stale(wanted) {
		if p.waits(topic) {
			continue
		}
		m := outgoing{message: newMessage(topic, nil)}
		if id, ok := p.n.configOf(topic); ok {
			m.device = id
			delete(p.linger, id)
		}
		out = append(out, m)
	}
	return out
}

// send sends messages in order.
func (p *Publisher) send(ctx context.Context, batch []outgoing) error {
	ms := make([]discovery.Message, len(batch))
	for i, m := range batch {
		p.mirror.send(m.message, m.keys, p.o.Now())
		if m.device != "" {
			p.configured[m.device] = p.o.Now()
		}
		ms[i] = discovery.Message{Topic: m.topic, Payload: m.payload, Retained: true}
	}
	err := p.await(func() error { return p.session.Publish(ctx, ms...) })
	for _, m := range batch {
		switch {
		case err != nil:
			p.mirror.failed(m.topic)
		case m.device != "" && len(m.payload) > 0 && !p.isDeleted(m.device):
			p.published[m.device] = true
		case m.device != "":
			delete(p.published, m.device)
		}
	}
	return err
}
