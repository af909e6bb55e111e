package hass

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/thingwarden/thingwarden/discovery"
)

const (
	// parallel is how many devices are published at once. Their messages wait for
	// the broker's acknowledgement one after the other.
	parallel = 32

	meddlingFirst   = time.Second
	meddlingLast    = 10 * time.Minute
	meddlingForgive = time.Hour
)

// readBroker learns what the broker holds, unless it is known already.
func (p *Publisher) readBroker(ctx context.Context) error {
	p.mu.Lock()
	up, birth := p.up, p.birth
	p.mu.Unlock()
	if !up {
		return errNotConnected
	}
	if !birth.IsZero() {
		if p.o.Now().Before(birth) {
			p.due(birth)
		} else {
			p.mu.Lock()
			p.birth = time.Time{}
			p.mu.Unlock()
			p.forget()
		}
	}
	p.mu.Lock()
	read, reading := p.read, p.reading
	p.mu.Unlock()
	if read {
		return nil
	}
	unread := p.subscribe()
	p.mu.Lock()
	if p.reading != reading {
		p.mu.Unlock()
		unread()
		return errNotConnected
	}
	p.unread = unread
	p.mu.Unlock()
	err := p.session.Sync(ctx)
	if err == nil {
		err = p.findDeleted(ctx)
	}
	p.mu.Lock()
	overtaken := p.reading != reading
	p.read = err == nil && !overtaken
	p.mu.Unlock()
	if err != nil || overtaken {
		p.forget()
		return cmpErr(err, errNotConnected)
	}
	return nil
}

func cmpErr(err, other error) error {
	if err != nil {
		return fmt.Errorf("reading our topics: %w", err)
	}
	return other
}

// subscribe feeds the mirror. With QoS 0, since brokers bound the queues of
// higher ones and drop what is beyond, of which nobody is told.
func (p *Publisher) subscribe() (cancel func()) {
	cancels := []func(){
		p.session.Subscribe(p.o.Prefix+"/device/+/config", 0, p.received),
		p.session.Subscribe(p.n.root()+"/+/+", 0, p.received),
		p.session.Subscribe(StatusTopic(p.n.site), 0, p.status),
	}
	return func() {
		for _, c := range cancels {
			c()
		}
	}
}

// received takes a message on a topic that may be one of ours.
func (p *Publisher) received(m discovery.Message) {
	id, isConfig := p.n.configOf(m.Topic)
	if !isConfig {
		if _, ok := p.n.stateOf(m.Topic); !ok {
			return
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.mirror.receive(m, p.o.Now()) {
		return
	}
	if isConfig && len(m.Payload) == 0 {
		if !p.deleted[id] {
			p.o.Log.Info("the owner deleted a device in Home Assistant; it comes back when it is checked again", "device", string(id))
		}
		p.deleted[id] = true
		delete(p.published, id)
	} else {
		p.meddled(m.Topic)
	}
	p.poke()
}

// status takes what somebody says of our availability.
func (p *Publisher) status(m discovery.Message) {
	if string(m.Payload) == Online {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.offline = true
	p.meddled(m.Topic)
	p.poke()
}

// meddled notes that somebody else wrote to a topic of ours. It runs with p.mu held.
func (p *Publisher) meddled(topic string) {
	now := p.o.Now()
	w := p.foreign[topic]
	if w == nil {
		if len(p.foreign) >= maxTopics {
			return
		}
		w = &meddling{}
		p.foreign[topic] = w
	}
	if now.Sub(w.last) > meddlingForgive {
		w.times = 0
	}
	w.times++
	w.last, w.after = now, now
	if w.times > 1 {
		w.after = now.Add(min(meddlingFirst<<min(w.times-2, 20), meddlingLast))
	}
}

// patience reports whether a topic is left alone for now.
func (p *Publisher) patience(topic string) bool {
	w := p.foreign[topic]
	if w == nil {
		return false
	}
	if p.o.Now().Before(w.after) {
		return true
	}
	return false
}

// findDeleted looks for devices that the owner deleted while we were not
// listening: their configuration is missing, their state is still there, and so
// is another configuration. When the broker lost everything, or what it was
// given last, the state is missing too.
func (p *Publisher) findDeleted(ctx context.Context) error {
	missing := p.missing()
	if len(missing) == 0 {
		return nil
	}
	// A broker may drop messages when it has many to send, so each of them is
	// asked for again.
	var cancels []func()
	for _, id := range missing {
		cancels = append(cancels, p.session.Subscribe(p.n.config(id), 0, p.received))
	}
	err := p.session.Sync(ctx)
	for _, cancel := range cancels {
		cancel()
	}
	if err != nil {
		return err
	}
	missing = p.missing()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range missing {
		p.o.Log.Info("the owner deleted a device in Home Assistant; it comes back when it is checked again", "device", string(id))
		p.deleted[id] = true
		delete(p.published, id)
	}
	return nil
}

func (p *Publisher) missing() []discovery.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []discovery.ID
	others := false
	for topic := range p.mirror.topics {
		if _, ok := p.n.configOf(topic); ok {
			others = true
		}
	}
	for id := range p.published {
		_, config := p.mirror.topics[p.n.config(id)]
		_, state := p.mirror.topics[p.n.state(id)]
		if others && !config && state {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, compareID)
	return out
}

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

// waits reports whether a topic is left alone for now, and sees to it that it is
// looked at again.
func (p *Publisher) waits(topic string) bool {
	if !p.patience(topic) {
		return false
	}
	p.due(p.foreign[topic].after)
	return true
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

// sayOnline contradicts somebody who said that we are not there.
func (p *Publisher) sayOnline(ctx context.Context) error {
	topic := StatusTopic(p.n.site)
	p.mu.Lock()
	say := p.offline && !p.waits(topic)
	if say {
		p.offline = false
	}
	p.mu.Unlock()
	if !say {
		return nil
	}
	if err := p.session.Publish(ctx, topic, []byte(Online), true); err != nil {
		return errors.Join(err, ctx.Err())
	}
	return nil
}

// tellMeddling logs that others write to our topics, at most once a minute. It
// runs with p.mu held.
func (p *Publisher) tellMeddling() {
	now := p.o.Now()
	var fresh []string
	for topic, w := range p.foreign {
		switch {
		case now.Sub(w.last) > meddlingForgive:
			delete(p.foreign, topic)
		case w.last.After(p.warnedAt):
			fresh = append(fresh, topic)
		}
	}
	if len(fresh) > 0 && now.Sub(p.warnedAt) > time.Minute {
		p.warnedAt = now
		p.o.Log.Warn("somebody else writes to Thingwarden's topics on the MQTT broker; they are repaired",
			"topics", len(fresh), "first", slices.Min(fresh))
	}
}
