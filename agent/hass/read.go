package hass

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
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
	}
	switch {
	case err != nil:
		return fmt.Errorf("reading our topics: %w", err)
	case overtaken:
		return errNotConnected
	}
	return nil
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
		if isConfig && p.deleted[id] {
			p.poke() // ours, sent before we knew
		}
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
