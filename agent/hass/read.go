package hass

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
)

// askAtOnce is how many filters are asked for again at once: their messages must
// fit into the queue of 1,000 that Mosquitto has for a client.
const askAtOnce = 50

// readBroker learns what the broker holds, unless it is known already.
func (p *Publisher) readBroker(ctx context.Context, want []deviceMessages) error {
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
		err = p.askAgain(ctx, p.unseen(want))
	}
	p.mu.Lock()
	overtaken := p.reading != reading
	if err == nil && !overtaken {
		p.findDeleted(want)
	}
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

// subscribe feeds the mirror. With QoS 1 a broker drops what does not fit into
// the queue of a client that is slow to read; with QoS 0 Mosquitto drops its own
// acknowledgements too.
func (p *Publisher) subscribe() (cancel func()) {
	cancels := []func(){
		p.session.Subscribe(p.o.Prefix+"/device/+/config", 1, p.received),
		p.session.Subscribe(p.n.root()+"/+/+", 1, p.received),
		p.session.Subscribe(StatusTopic(p.n.site), 1, p.status),
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
		if isConfig && p.isDeleted(id) {
			p.poke() // ours, sent before we knew
		}
		return
	}
	if isConfig && len(m.Payload) == 0 {
		if p.published[id] { // else anybody could fill the decisions with made-up devices
			p.markDeleted(id)
		}
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

// markDeleted notes that the owner deleted a device. It runs with p.mu held.
func (p *Publisher) markDeleted(id discovery.ID) {
	delete(p.published, id)
	if id == discovery.Hub { // always published
		return
	}
	if !p.isDeleted(id) {
		p.o.Log.Info("the owner deleted a device in Home Assistant; it comes back when it is checked again", "device", string(id))
		p.deleted[id] = time.Time{}
	}
}

func (p *Publisher) isDeleted(id discovery.ID) bool {
	_, ok := p.deleted[id]
	return ok
}

// unseen are filters for what the broker should hold and has not shown, unless
// it holds nothing of ours.
func (p *Publisher) unseen(want []deviceMessages) (filters []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.mirror.topics) == 0 {
		return nil
	}
	for _, w := range want {
		if _, ok := p.mirror.topics[w.config.topic]; !ok {
			filters = append(filters, w.config.topic)
		}
		for _, m := range w.states {
			if _, ok := p.mirror.topics[m.topic]; !ok {
				filters = append(filters, p.n.root()+"/"+string(w.id)+"/+")
				break
			}
		}
	}
	return filters
}

// askAgain reads some topics once more, since a broker drops messages when it
// has many to send at once.
func (p *Publisher) askAgain(ctx context.Context, filters []string) error {
	for some := range slices.Chunk(filters, askAtOnce) {
		var cancels []func()
		for _, f := range some {
			cancels = append(cancels, p.session.Subscribe(f, 1, p.received))
		}
		err := p.session.Sync(ctx)
		for _, cancel := range cancels {
			cancel()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// findDeleted looks for devices that the owner deleted while we were not
// listening: their configuration is missing, their state is still there, and so
// is another configuration. When the broker lost everything, or what it was
// given last, the state is missing too. It runs with p.mu held.
func (p *Publisher) findDeleted(want []deviceMessages) {
	others := false
	for topic := range p.mirror.topics {
		_, ok := p.n.configOf(topic)
		others = others || ok
	}
	for _, w := range want {
		_, config := p.mirror.topics[w.config.topic]
		_, state := p.mirror.topics[p.n.state(w.id)]
		if others && p.published[w.id] && !config && state {
			p.markDeleted(w.id)
		}
	}
}
