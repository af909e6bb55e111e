package hass

import (
	"context"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
)

// filtersAtOnce is how many filters are asked for again at once: their messages must
// fit into the queue of 1,000 that Mosquitto has for a client.
const filtersAtOnce = 50

// readBroker learns what the broker holds, unless it is known already.
func (p *Publisher) readBroker(ctx context.Context, want []deviceMessages) error {
	if !p.up {
		return errNotConnected
	}
	if !p.birth.IsZero() {
		if p.o.Now().Before(p.birth) {
			p.due(p.birth)
		} else {
			p.birth = time.Time{}
			p.forget()
		}
	}
	if p.read {
		return nil
	}
	p.unread()
	reading := p.reading
	p.unread = p.subscribe()
	err := p.await(func() error { return p.sync(ctx, p.delivery.failed) })
	if err == nil && p.reading == reading {
		err = p.subscribeAgain(ctx, p.unseen(want))
	}
	if p.reading != reading {
		return errNotConnected // it was lost meanwhile
	}
	if err != nil {
		p.forget()
		return readError{err}
	}
	p.findDeleted(want)
	p.read = true
	return nil
}

// sync waits for all that the broker holds. The session begins a new connection when
// nothing comes for long, which may help once and is tried seldom after that.
func (p *Publisher) sync(ctx context.Context, failed int) error {
	if failed%10 != failuresReported {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.o.ReadWithin)
		defer cancel()
	}
	return p.session.Sync(ctx)
}

// readError is why our own topics can't be read.
type readError struct{ error }

func (e readError) Unwrap() error { return e.error }

func (e readError) Error() string { return "reading our topics: " + e.error.Error() }

// subscribe feeds the mirror. With QoS 1 a broker drops what does not fit into
// the queue of a client that is slow to read; with QoS 0 Mosquitto drops its own
// acknowledgements too.
func (p *Publisher) subscribe() (cancel func()) {
	cancels := []func(){
		p.session.Subscribe(p.o.Prefix+"/device/+/config", 1, p.current(p.received)),
		p.session.Subscribe(p.n.root()+"/+/+", 1, p.current(p.received)),
		p.session.Subscribe(StatusTopic(p.n.site), 1, p.current(p.status)),
	}
	return func() {
		for _, c := range cancels {
			c()
		}
	}
}

// current is a subscriber of the reading that begins now: what comes when it is over
// says nothing of what the broker holds.
func (p *Publisher) current(take func(discovery.Message)) func(discovery.Message) {
	reading := p.reading
	return func(m discovery.Message) {
		p.post(func() {
			if p.reading == reading {
				take(m)
			}
		})
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
	if !p.mirror.receive(m, p.o.Now()) {
		if isConfig && p.isDeleted(id) {
			p.stirred = true // ours, sent before we knew
		}
		return
	}
	if isConfig && len(m.Payload) == 0 {
		if p.published[id] { // else anybody could fill the decisions with made-up devices
			p.cleared(id)
		}
	} else {
		p.meddled(m.Topic)
	}
	p.stirred = true
}

// status takes what somebody says of our availability.
func (p *Publisher) status(m discovery.Message) {
	if string(m.Payload) == Online {
		return
	}
	p.offline = true
	p.meddled(m.Topic)
	p.stirred = true
}

// unseen are filters for what the broker should hold and has not shown, unless
// it holds nothing of ours.
func (p *Publisher) unseen(want []deviceMessages) (filters []string) {
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

// subscribeAgain reads some topics once more, since a broker drops messages when it
// has many to send at once.
func (p *Publisher) subscribeAgain(ctx context.Context, filters []string) error {
	for some := range slices.Chunk(filters, filtersAtOnce) {
		var cancels []func()
		for _, f := range some {
			cancels = append(cancels, p.session.Subscribe(f, 1, p.current(p.received)))
		}
		err := p.await(func() error { return p.session.Sync(ctx) })
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
// given last, the state is missing too.
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
			p.cleared(w.id)
		}
	}
}
