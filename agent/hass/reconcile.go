package hass

import (
	"context"
	"maps"

	"golang.org/x/sync/errgroup"

	"github.com/thingwarden/thingwarden/discovery"
)

// parallel is how many devices are published at once. The messages of one wait
// for the broker's acknowledgement one after the other.
const parallel = 32

// reconcile sends what is missing or differs: the hub first, for each device its
// configuration before its states, and clears what nobody wants.
func (p *Publisher) reconcile(ctx context.Context, want []deviceMessages) error {
	if err := p.sayOnline(ctx); err != nil {
		return err
	}
	wanted := map[string]bool{}
	var plans [][]outgoing
	p.mu.Lock()
	for _, w := range want {
		wanted[w.config.topic] = true
		for _, m := range w.states {
			wanted[m.topic] = true
		}
		plans = append(plans, p.plan(w))
	}
	p.tellMeddling()
	p.mu.Unlock()
	if len(plans) > 0 { // the hub
		if err := p.send(ctx, plans[0]); err != nil {
			return err
		}
		plans = plans[1:]
	}
	if err := p.sendAll(ctx, plans); err != nil {
		return err
	}
	return p.clear(ctx, wanted)
}

// outgoing is a message to send, with the components of a configuration.
type outgoing struct {
	message
	keys   map[string]string
	device discovery.ID // whose configuration it is; empty for a state
}

// plan is what to send for a device. It runs with p.mu held.
func (p *Publisher) plan(w deviceMessages) (out []outgoing) {
	if !p.waits(w.config.topic) {
		payload, keys := p.target(w)
		if !p.mirror.holds(w.config.topic, payload) {
			out = append(out, outgoing{message{w.config.topic, payload}, keys, w.id})
		} else {
			p.published[w.id] = true
		}
	}
	for _, m := range w.states {
		if !p.mirror.holds(m.topic, m.payload) && !p.waits(m.topic) {
			out = append(out, outgoing{message: m})
		}
	}
	return out
}

// target is the configuration that the broker should hold now: while it lingers,
// with the components that are to go.
func (p *Publisher) target(w deviceMessages) (payload []byte, keys map[string]string) {
	gone := p.mirror.gone(w)
	until, lingers := p.linger[w.id]
	now := p.o.Now()
	switch {
	case len(gone) == 0:
		delete(p.linger, w.id)
		return w.config.payload, w.keys
	case lingers && !now.Before(until):
		delete(p.linger, w.id)
		return w.config.payload, w.keys
	case !lingers:
		until = now.Add(p.o.Linger)
		p.linger[w.id] = until
	}
	p.due(until)
	keys = maps.Clone(w.keys)
	maps.Copy(keys, gone)
	return w.without(gone), keys
}

func (p *Publisher) sendAll(ctx context.Context, plans [][]outgoing) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for _, plan := range plans {
		if len(plan) > 0 {
			g.Go(func() error { return p.send(ctx, plan) })
		}
	}
	return g.Wait()
}

func (p *Publisher) send(ctx context.Context, plan []outgoing) error {
	for _, m := range plan {
		p.mu.Lock()
		p.mirror.send(m.topic, m.payload, m.keys, p.o.Now())
		p.mu.Unlock()
		err := p.session.Publish(ctx, m.topic, m.payload, true)
		p.mu.Lock()
		switch {
		case err != nil:
			p.mirror.failed(m.topic)
		case m.device != "" && len(m.payload) > 0 && !p.deleted[m.device]:
			p.published[m.device] = true
		case m.device != "":
			delete(p.published, m.device)
		}
		p.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// clear removes our topics that nobody wants: configurations first.
func (p *Publisher) clear(ctx context.Context, wanted map[string]bool) error {
	var configs, states [][]outgoing
	p.mu.Lock()
	for _, topic := range p.mirror.stale(wanted) {
		if p.waits(topic) {
			continue
		}
		m := outgoing{message: message{topic: topic}}
		if id, ok := p.n.configOf(topic); ok {
			m.device = id
			configs = append(configs, []outgoing{m})
			delete(p.linger, id)
		} else {
			states = append(states, []outgoing{m})
		}
	}
	p.mu.Unlock()
	if err := p.sendAll(ctx, configs); err != nil {
		return err
	}
	return p.sendAll(ctx, states)
}
