package broker

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// Subscribe calls fn for each message on a topic that matches the filter, in
// order, one at a time, until cancel is called. It survives reconnects: after
// one, retained messages come again, as they do when somebody else subscribes
// to an overlapping filter. Payloads above MaxPayload are dropped, which State says
// until a smaller one comes on that topic.
//
// Fn runs in a goroutine of its own and may publish; while it blocks, up to
// 65,536 messages or 64 MiB wait, and what comes then is dropped. A message that
// is being handled when cancel is called may still finish.
func (s *Session) Subscribe(filter string, qos byte, fn func(Message)) (cancel func()) {
	return s.SubscribeMax(filter, qos, MaxPayload, fn)
}

// SubscribeMax is Subscribe for payloads of up to max bytes, at most
// MaxLargePayload.
func (s *Session) SubscribeMax(filter string, qos byte, limit int, fn func(Message)) (cancel func()) {
	x := &subscription{filter: filter, qos: qos, max: min(limit, MaxLargePayload), queue: &queue{fn: fn}}
	s.mu.Lock()
	s.subs = append(s.subs, x)
	delete(s.dropped, filter)
	s.mu.Unlock()
	poke(s.kick)
	return func() {
		x.queue.close()
		s.mu.Lock()
		s.subs = slices.DeleteFunc(s.subs, func(y *subscription) bool { return y == x })
		if x.made && !slices.ContainsFunc(s.subs, func(y *subscription) bool { return y.filter == filter }) {
			s.dropped[filter] = true
		}
		s.mu.Unlock()
		poke(s.kick)
	}
}

// subscribe makes the subscriptions that the connection lacks, drops those that
// nobody wants, and reports whether that went well.
func (s *Session) subscribe(ctx context.Context, client mqtt.Client) bool {
	if !client.IsConnectionOpen() {
		return false
	}
	s.mu.Lock()
	missing := map[string]byte{}
	var made []*subscription
	for _, x := range s.subs {
		if !x.made {
			missing[x.filter] = max(missing[x.filter], x.qos)
			made = append(made, x)
		}
	}
	var gone []string
	for filter := range s.dropped {
		gone = append(gone, filter)
	}
	clear(s.dropped)
	lost := s.lost
	s.mu.Unlock()
	if len(gone) > 0 {
		if err := wait(ctx, client.Unsubscribe(gone...), lost); err != nil {
			s.log.Debug("unsubscribing failed", "error", err)
		}
	}
	if len(missing) == 0 {
		return true
	}
	token := client.SubscribeMultiple(missing, nil)
	if err := wait(ctx, token, lost); err != nil {
		s.log.Debug("subscribing failed", "error", err)
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range made {
		x.made = true
	}
	if t, ok := token.(*mqtt.SubscribeToken); ok {
		for filter, code := range t.Result() {
			if code == 0x80 { // MQTT 3.1.1 section 3.9.3
				s.problem = fmt.Sprintf("the MQTT broker does not let us read %q", filter)
				s.log.Warn(s.problem)
			}
		}
	}
	return true
}

// dispatch runs in paho's goroutine and must not block.
func (s *Session) dispatch(_ mqtt.Client, m mqtt.Message) {
	msg := Message{Topic: m.Topic(), Payload: m.Payload(), QoS: m.Qos(), Retained: m.Retained()}
	if s.hand(msg) {
		_, problem := s.State()
		s.reportProblem(problem)
	}
}

// aside is a message that was not handed on.
type aside struct {
	topic        string
	bytes, limit int
}

// String says so in plain words.
func (a *aside) String() string {
	topic := strconv.Quote(a.topic[:min(len(a.topic), 200)])
	if a.bytes > a.limit {
		return fmt.Sprintf("a message on %s was not read: it has %d bytes, and at most %d are read", topic, a.bytes, a.limit)
	}
	return fmt.Sprintf("a message on %s was not read: too many were waiting", topic)
}

// hand gives a message to its subscribers, and reports whether what State says is
// wrong has changed by that.
func (s *Session) hand(msg Message) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.brought = time.Now()
	if s.cfg.SyncTopic != "" && msg.Topic == s.cfg.SyncTopic {
		s.marked(msg)
	}
	for _, x := range s.subs {
		if !matches(x.filter, msg.Topic) {
			continue
		}
		ok := len(msg.Payload) <= x.max && x.queue.push(msg)
		switch {
		case !ok && s.aside == nil:
			s.aside, changed = &aside{msg.Topic, len(msg.Payload), x.max}, true
		case ok && s.aside != nil && s.aside.topic == msg.Topic && len(msg.Payload) <= s.aside.limit:
			s.aside, changed = nil, true
		}
		if !ok && !x.warned {
			x.warned = true
			s.log.Warn("an MQTT message was dropped: it is too large, or too many wait",
				"topic", msg.Topic, "bytes", len(msg.Payload), "filter", x.filter)
		}
	}
	return changed
}

// marker is one call of Sync: two messages, because a broker may let messages
// of QoS 0 overtake those of QoS 1.
type marker struct {
	seen [2]bool
	done chan struct{}
}

// Sync returns when every message that the broker had for us when it was called
// has been handed to its subscribers, and they have returned: retained messages
// of all subscriptions made before are among them. MQTT 3.1.1 has no sign for
// the end of the retained messages, so the session sends itself a message and
// waits for it. It must not be called from a subscriber.
func (s *Session) Sync(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, s.syncTimeout)
	defer cancel()
	err := s.sync(limited)
	if limited.Err() != nil && ctx.Err() == nil {
		s.beginAnew()
	}
	return err
}

// beginAnew ends a connection that stands and brings nothing, after a Sync in vain:
// a broker may have lost us when it threw off an older session of our name.
func (s *Session) beginAnew() {
	s.mu.Lock()
	s.deaf = s.up && time.Since(s.brought) > s.syncTimeout/3
	deaf := s.deaf
	s.mu.Unlock()
	if deaf {
		s.log.Warn("the MQTT broker hands nothing on to us any more; connecting anew")
		poke(s.events)
	}
}

func (s *Session) sync(ctx context.Context) error {
	s.mu.Lock()
	client, up, lost := s.client, s.up, s.lost
	s.mu.Unlock()
	if !up || lost == nil || s.cfg.SyncTopic == "" {
		return ErrNotConnected
	}
	nonce, m, forget := s.mark()
	defer forget()
	reply := make(chan struct{})
	select {
	case s.flush <- reply:
	case <-lost:
		return ErrNotConnected
	case <-ctx.Done():
		return fmt.Errorf("reading what the MQTT broker holds: %w", ctx.Err())
	}
	select {
	case <-reply:
	case <-ctx.Done():
		return fmt.Errorf("reading what the MQTT broker holds: %w", ctx.Err())
	}
	for {
		s.sendMarker(client, nonce)
		select {
		case <-m.done:
			s.mu.Lock()
			queues := s.queues()
			s.mu.Unlock()
			select {
			case <-drained(queues):
				return nil
			case <-ctx.Done():
				return fmt.Errorf("reading what the MQTT broker holds: %w", ctx.Err())
			}
		// An overloaded broker may drop it; and Mosquitto 2.0.11 can leave what it
		// has for a client lying until the client sends something.
		case <-time.After(time.Second):
		case <-lost:
			return ErrNotConnected
		case <-ctx.Done():
			return fmt.Errorf("reading what the MQTT broker holds: %w", ctx.Err())
		}
	}
}

// mark makes a marker that has not been sent yet.
func (s *Session) mark() (nonce string, m *marker, forget func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nextSync++
	nonce = strconv.FormatUint(s.nextSync, 10) + "-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	m = &marker{done: make(chan struct{})}
	s.syncs[nonce] = m
	return nonce, m, func() {
		s.mu.Lock()
		delete(s.syncs, nonce)
		s.mu.Unlock()
	}
}

// sendMarker does not wait for acknowledgements: what comes back is proof enough.
func (s *Session) sendMarker(client mqtt.Client, nonce string) {
	for qos := range byte(2) {
		client.Publish(s.cfg.SyncTopic, qos, false, fmt.Appendf(nil, "%s/%d", nonce, qos))
	}
}

// marked notes a message of Sync. It runs with s.mu held.
func (s *Session) marked(msg Message) {
	for nonce, m := range s.syncs {
		for qos := range m.seen {
			if string(msg.Payload) == fmt.Sprintf("%s/%d", nonce, qos) {
				m.seen[qos] = true
			}
		}
		if m.seen[0] && m.seen[1] {
			close(m.done)
			delete(s.syncs, nonce)
		}
	}
}

func (s *Session) queues() []*queue {
	out := make([]*queue, 0, len(s.subs))
	for _, x := range s.subs {
		out = append(out, x.queue)
	}
	return out
}

// drained returns a channel that is closed when all queues have handled what
// they hold now.
func drained(queues []*queue) <-chan struct{} {
	var all sync.WaitGroup
	for _, q := range queues {
		all.Add(1)
		q.after(all.Done)
	}
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	return done
}
