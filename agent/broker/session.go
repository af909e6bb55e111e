package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// Session is the agent's one connection to the broker. Its methods may be
// called from any goroutine, before Run too.
type Session struct {
	cfg Config
	log *slog.Logger

	events chan struct{}      // paho came or went
	kick   chan struct{}      // subscriptions changed
	flush  chan chan struct{} // answered once all subscriptions are made

	mu       sync.Mutex
	client   mqtt.Client
	up       bool
	lost     chan struct{} // closed when the connection is lost
	open     int           // messages whose acknowledgement never came
	deaf     bool          // what is sent to ourselves does not come back
	brought  time.Time     // when the last message came
	problem  string
	aside    *aside // the last message that was not handed on; nil when its topic works again
	subs     []*subscription
	dropped  map[string]bool // filters without a subscriber, still subscribed
	watchers map[*func(bool)]struct{}
	syncs    map[string]*marker
	nextSync uint64

	syncTimeout time.Duration
}

type subscription struct {
	filter string
	qos    byte
	max    int
	made   bool // on this connection
	warned bool
	queue  *queue
}

// New returns a session that Run connects.
func New(cfg Config, log *slog.Logger) *Session {
	return &Session{
		cfg: cfg, log: log,
		events: make(chan struct{}, 1), kick: make(chan struct{}, 1), flush: make(chan chan struct{}),
		dropped: map[string]bool{}, watchers: map[*func(bool)]struct{}{}, syncs: map[string]*marker{},
		syncTimeout: ackTimeout,
	}
}

// manage follows the connection. It alone subscribes and changes s.up, so that
// subscribers see the end of one connection before anything of the next.
func (s *Session) manage(ctx context.Context, client mqtt.Client, u *url.URL) {
	var retry, lost <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			s.farewell(client)
			s.down()
			return
		case <-s.events:
			s.down()
			if s.worn() {
				client.Disconnect(0)
				return
			}
			retry = s.start(ctx, client, u)
			if s.cfg.Find != nil && !client.IsConnectionOpen() {
				lost = time.After(resolveAgain)
			}
		case <-lost:
			if !client.IsConnectionOpen() {
				client.Disconnect(0)
				return
			}
		case <-retry:
			retry = s.start(ctx, client, u)
		case <-s.kick:
			s.resubscribe(ctx, client)
		case reply := <-s.flush:
			s.resubscribe(ctx, client)
			close(reply)
		}
	}
}

// resubscribe follows a change of the subscriptions. On a connection that has
// not been started it does nothing: start subscribes to everything.
func (s *Session) resubscribe(ctx context.Context, client mqtt.Client) {
	if up, _ := s.State(); up {
		s.subscribe(ctx, client)
	}
}

// start greets and subscribes on a new connection. It returns a timer if that
// has to be tried again.
func (s *Session) start(ctx context.Context, client mqtt.Client, u *url.URL) <-chan time.Time {
	if !client.IsConnectionOpen() {
		return nil // paho reconnects and tells
	}
	s.mu.Lock()
	lost := make(chan struct{})
	s.lost, s.problem, s.aside = lost, "", nil
	clear(s.dropped)
	for _, x := range s.subs {
		x.made = false
	}
	s.mu.Unlock()
	if b := s.cfg.Birth; b != nil {
		if err := wait(ctx, client.Publish(b.Topic, b.QoS, b.Retained, b.Payload), lost); err != nil {
			return time.After(retryFirst)
		}
	}
	if s.cfg.SyncTopic != "" {
		if err := wait(ctx, client.Subscribe(s.cfg.SyncTopic, 1, nil), lost); err != nil {
			return time.After(retryFirst)
		}
	}
	if !s.subscribe(ctx, client) {
		return time.After(retryFirst)
	}
	s.mu.Lock()
	s.up = true
	notify := s.notifier()
	s.mu.Unlock()
	s.log.Info("connected to the MQTT broker", "broker", u.Host)
	notify(true)
	_, problem := s.State()
	s.reportProblem(problem)
	return nil
}

// release lets go of everybody who waits for the broker.
func (s *Session) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost != nil {
		close(s.lost)
		s.lost = nil
	}
}

// down marks the connection as lost, after what came over it was handled.
func (s *Session) down() {
	s.release()
	s.mu.Lock()
	was := s.up
	s.up = false
	notify := s.notifier()
	queues := s.queues()
	s.mu.Unlock()
	if !was {
		return
	}
	select {
	case <-drained(queues):
	case <-time.After(10 * time.Second):
		s.log.Warn("a subscriber takes more than ten seconds over a message")
	}
	notify(false)
}

func (s *Session) farewell(client mqtt.Client) {
	if w := s.cfg.Will; w != nil && client.IsConnectionOpen() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		err := wait(ctx, client.Publish(w.Topic, w.QoS, w.Retained, w.Payload), nil)
		if err == nil {
			err = s.handedOn(ctx, client)
		}
		if err != nil {
			s.log.Debug("no farewell to the MQTT broker", "error", err)
		}
	}
	client.Disconnect(250)
}

// handedOn returns when the broker has handed on what we sent. Some acknowledge a
// message before that, and then our next session's greeting can overtake this
// one's farewell.
func (s *Session) handedOn(ctx context.Context, client mqtt.Client) error {
	if up, _ := s.State(); !up || s.cfg.SyncTopic == "" {
		return nil
	}
	nonce, m, forget := s.mark()
	defer forget()
	s.sendMarker(client, nonce)
	select {
	case <-m.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// trouble records what is wrong and logs it when it is new.
func (s *Session) trouble(problem string) {
	s.mu.Lock()
	known := s.problem == problem
	s.problem = problem
	s.mu.Unlock()
	if !known {
		s.log.Warn(problem + "; trying again")
		s.reportProblem(problem)
	}
}

func (s *Session) reportProblem(problem string) {
	if s.cfg.OnProblem != nil {
		s.cfg.OnProblem(problem)
	}
}

// State reports whether the broker is there and, if it is not or does not let
// us do all we need, why, in plain words.
func (s *Session) State() (up bool, problem string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.up && s.problem == "" {
		return false, "not connected to the MQTT broker yet"
	}
	if s.problem == "" && s.aside != nil {
		return s.up, s.aside.String()
	}
	return s.up, s.problem
}

// Connected reports whether the broker is there now and calls fn on each change
// until cancel is called. When fn is called with false, everything that the
// connection brought has been handed to the subscribers; when it is called with
// true, all subscriptions are made. Fn must not block.
func (s *Session) Connected(fn func(up bool)) (now bool, cancel func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers[&fn] = struct{}{}
	return s.up, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, &fn)
	}
}

// Await returns once the broker is there. Its error is that of ctx, or after the
// time that it is not there, and why.
func (s *Session) Await(ctx context.Context, most time.Duration) error {
	up := make(chan struct{}, 1)
	now, cancel := s.Connected(func(is bool) {
		if is {
			select {
			case up <- struct{}{}:
			default:
			}
		}
	})
	defer cancel()
	if now {
		return nil
	}
	select {
	case <-up:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(most):
		_, problem := s.State()
		if problem == "" {
			problem = "no answer"
		}
		return fmt.Errorf("connecting to the MQTT broker: %s", problem)
	}
}

func (s *Session) notifier() func(bool) {
	fns := slices.Collect(maps.Keys(s.watchers))
	return func(up bool) {
		for _, fn := range fns {
			(*fn)(up)
		}
	}
}

// Publish sends messages in order and returns when the broker has acknowledged
// those with QoS 1. It does not wait for one before it sends the next: brokers
// are slow to answer single messages. An error means that some may not have
// arrived; they are not sent again.
func (s *Session) Publish(ctx context.Context, ms ...Message) error {
	s.mu.Lock()
	client, up, lost := s.client, s.up, s.lost
	s.mu.Unlock()
	if !up || lost == nil {
		return ErrNotConnected
	}
	var first error
	waiting := make([]mqtt.Token, 0, min(len(ms), window))
	settle := func(n int) {
		for _, t := range waiting[:n] {
			err := first
			if err == nil {
				err = wait(ctx, t, lost)
			}
			if err != nil {
				first = err
				s.left(t)
			}
		}
		waiting = slices.Delete(waiting, 0, n)
	}
	for _, m := range ms {
		if len(waiting) == window {
			settle(window / 2)
		}
		if first == nil {
			first = ctx.Err() // before anything is sent
		}
		if first != nil {
			break
		}
		waiting = append(waiting, client.Publish(m.Topic, m.QoS, m.Retained, m.Payload))
	}
	settle(len(waiting))
	if first != nil {
		return fmt.Errorf("publishing to the MQTT broker: %w", first)
	}
	return nil
}

// left counts a message that paho will wait for to the end of its days: with it
// goes one of 65,535 numbers for messages.
func (s *Session) left(t mqtt.Token) {
	select {
	case <-t.Done():
	default:
		s.mu.Lock()
		s.open++
		s.mu.Unlock()
	}
}

// worn reports whether the connection is of no more use: its client has no numbers
// left, or the broker hands nothing to us any more.
func (s *Session) worn() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open >= maxOpen || s.deaf
}

// wait is the only place that waits for a token, and never without a limit: a
// frozen broker leaves tokens open.
func wait(ctx context.Context, t mqtt.Token, lost <-chan struct{}) error {
	select { // most often it is done, and a timer costs
	case <-t.Done():
		return t.Error()
	default:
	}
	limit := time.NewTimer(ackTimeout)
	defer limit.Stop()
	select {
	case <-t.Done():
		return t.Error()
	case <-lost:
		return errors.New("the connection to the MQTT broker was lost")
	case <-ctx.Done():
		return ctx.Err()
	case <-limit.C:
		return fmt.Errorf("no answer from the MQTT broker within %s", ackTimeout)
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
