package hass

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

// retryAfter is how long a pass that failed waits before the next.
const retryAfter = 5 * time.Second

var errNotConnected = errors.New("not connected to the MQTT broker")

// Publisher makes Home Assistant show a snapshot. Run does its work; Publish may be
// called from any goroutine.
type Publisher struct {
	session  report.MQTT
	o        Options
	n        names
	requests chan request
	jobs     chan job
	inbox    chan func() // what the session's subscribers bring, to be done by Run
	links    chan bool   // the broker came or went
	ended    chan struct{}
	refused  seldom // commands

	// Only the goroutine of Run uses what follows.
	want       *report.Snapshot
	drawn      drawings
	titles     titles
	remembered Memory
	linger     map[discovery.ID]time.Time // when a configuration loses its removed components
	next       time.Time                  // when something is to be done by time alone; zero for never
	warnedAt   time.Time
	stirred    bool // something came that asks for a pass

	mirror    *mirror
	up        bool   // the broker is there
	reading   int    // counts readings of the broker, so that one knows it was overtaken
	read      bool   // the mirror is complete
	unread    func() // ends the subscriptions that feed the mirror
	birth     time.Time
	event     uint64    // the last one that the broker has acknowledged
	met       bool      // Home Assistant has said that it is there, and we would have seen it go
	lastSeen  uint64    // the last event that was sent before it went, or before we came
	again     bool      // those after it are to be sent once more
	away      time.Time // when Home Assistant said that it ends; zero while it is there
	deaf      time.Time // until when it does not listen to our events
	offline   bool      // somebody said that we are not there
	published map[discovery.ID]bool
	// configured is when the last configuration was sent.
	configured map[discovery.ID]time.Time
	// deleted are the devices that the owner deleted in Home Assistant and that the
	// snapshot does not show as hidden yet, with when that was passed on; zero: it
	// has not been.
	deleted  map[discovery.ID]time.Time
	wiped    clearings
	delivery delivery
	foreign  map[string]*meddling
}

type request struct {
	ctx      context.Context
	snapshot *report.Snapshot
	reply    chan error
}

// New returns a publisher for one site.
func New(s report.MQTT, o Options) *Publisher {
	o = o.withDefaults()
	n := names{o.Site, o.Prefix}
	p := &Publisher{
		session: s, o: o, n: n, requests: make(chan request), jobs: make(chan job, maxWaiting),
		inbox: make(chan func(), 256), links: make(chan bool, 64), ended: make(chan struct{}),
		event: o.Memory.Event, drawn: drawings{}, titles: titles{}, linger: map[discovery.ID]time.Time{}, mirror: newMirror(n), unread: func() {},
		published: map[discovery.ID]bool{}, deleted: map[discovery.ID]time.Time{}, foreign: map[string]*meddling{},
		configured: map[discovery.ID]time.Time{},
	}
	for _, id := range o.Memory.Published {
		p.published[id] = true
	}
	p.remembered = p.memory()
	return p
}

// Run keeps the broker as the newest snapshot wants it, and takes commands,
// until ctx is done; then it returns nil. What is on the broker stays there. It
// must be called once.
func (p *Publisher) Run(ctx context.Context) error {
	defer close(p.ended)
	var worker sync.WaitGroup
	worker.Go(func() { p.work(ctx) })
	defer worker.Wait()
	defer p.listen()()
	if p.o.BirthTopic != "" {
		defer p.session.Subscribe(p.o.BirthTopic, 1, func(m discovery.Message) { p.post(func() { p.born(m) }) })()
	}
	now, unfollow := p.session.Connected(p.linked)
	defer unfollow()
	if len(p.links) == 0 {
		p.connected(now)
	}
	defer func() { p.forget() }()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-p.requests:
			p.take(r.snapshot)
			both, stop := context.WithCancel(ctx)
			after := context.AfterFunc(r.ctx, stop)
			r.reply <- p.pass(both)
			after()
			stop()
		case fn := <-p.inbox:
			fn()
			p.drain()
		case up := <-p.links:
			p.connected(up)
		case <-timer.C:
			p.stirred = true
		}
		if p.stirred {
			p.repair(ctx)
		}
		timer.Stop()
		switch {
		case p.stirred: // by what came during the pass
			timer.Reset(0)
		case !p.next.IsZero():
			timer.Reset(max(0, p.next.Sub(p.o.Now())))
		}
	}
}

// post has Run do something; whoever calls it waits until Run will.
func (p *Publisher) post(fn func()) {
	select {
	case p.inbox <- fn:
	case <-p.ended:
	}
}

// linked is called by the session when the broker comes or goes.
func (p *Publisher) linked(up bool) {
	select {
	case p.links <- up:
	case <-p.ended:
	}
}

// drain does what is in the inbox now.
func (p *Publisher) drain() {
	for range len(p.inbox) {
		(<-p.inbox)()
	}
}

// await runs something that takes its time, and meanwhile goes on with what comes
// from the session: some of it waits for just that.
func (p *Publisher) await(do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	for {
		select {
		case err := <-done:
			p.drain()
			return err
		case fn := <-p.inbox:
			fn()
		case up := <-p.links:
			p.connected(up)
		}
	}
}

// Publish implements report.Publisher. Run must be running. While the broker is
// not there it returns an error at once; the snapshot is kept and shown when the
// broker comes back.
func (p *Publisher) Publish(ctx context.Context, s *report.Snapshot) error {
	r := request{ctx, s, make(chan error, 1)}
	select {
	case p.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-r.reply:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take takes up a newer snapshot.
func (p *Publisher) take(s *report.Snapshot) {
	p.want = s
	maps.DeleteFunc(p.deleted, func(_ discovery.ID, confirmed time.Time) bool { return !confirmed.IsZero() && !s.At.Before(confirmed) })
}

// repair is a pass that nobody waits for.
func (p *Publisher) repair(ctx context.Context) {
	if err := p.pass(ctx); err != nil && !errors.Is(err, errNotConnected) && ctx.Err() == nil {
		p.o.Log.Debug("Home Assistant not shown the newest yet", "error", err)
	}
}

// pass makes the broker hold what the newest snapshot wants.
func (p *Publisher) pass(ctx context.Context) error {
	p.next, p.stirred = time.Time{}, false
	if p.want == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	err := p.synchronise(ctx)
	p.remember()
	p.checkDelivery(err)
	if err != nil && !errors.Is(err, errNotConnected) {
		p.due(p.o.Now().Add(retryAfter))
	}
	return err
}

func (p *Publisher) synchronise(ctx context.Context) error {
	if err := p.readBroker(ctx, p.draw()); err != nil {
		return err
	}
	p.hide(ctx)
	if err := p.reconcile(ctx, p.draw()); err != nil {
		return err
	}
	return p.sendEvents(ctx, p.want)
}

func (p *Publisher) draw() []deviceMessages {
	deleted := make(map[discovery.ID]bool, len(p.deleted))
	for id := range p.deleted {
		deleted[id] = true
	}
	shown, next := p.titles.steady(p.want, p.o.Now())
	if !next.IsZero() {
		p.due(next)
	}
	return p.drawn.messages(shown, p.o, deleted)
}

// due says that something is to be done at t.
func (p *Publisher) due(t time.Time) {
	if p.next.IsZero() || t.Before(p.next) {
		p.next = t
	}
}

func (p *Publisher) memory() Memory {
	return Memory{Published: slices.Sorted(maps.Keys(p.published)), Event: p.event}
}

func (p *Publisher) remember() {
	if m := p.memory(); !reflect.DeepEqual(m, p.remembered) {
		p.o.Remember(m)
		p.remembered = m
	}
}

// connected takes up that the broker came or went. What the lost connection brought
// is in the inbox.
func (p *Publisher) connected(up bool) {
	p.drain()
	p.up = up
	p.met, p.lastSeen = false, p.event
	if up {
		p.stirred = true
		return
	}
	p.away = time.Time{} // its return may escape us
	p.forget()
}

// forget ends the reading of the broker: what it holds is no longer known.
func (p *Publisher) forget() {
	p.unread()
	p.unread, p.read = func() {}, false
	p.reading++
	p.mirror.forget()
}

// born takes up what Home Assistant says of itself.
func (p *Publisher) born(m discovery.Message) {
	if m.Retained {
		return
	}
	now := p.o.Now()
	switch string(m.Payload) {
	case Online:
		p.birth = now.Add(p.o.Jitter())
		if !p.met {
			// Had it been connected since we are, its going would have been told us: it
			// has heard nothing of what we sent meanwhile.
			p.met, p.again = true, true
			p.away, p.deaf = time.Time{}, now.Add(p.o.Settle())
		}
		p.stirred = true
	case Offline:
		p.away = now
		p.met, p.lastSeen = false, p.event
	}
}
