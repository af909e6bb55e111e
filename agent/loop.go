package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/thingwarden/thingwarden/agent/home"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/agent/store"
	"github.com/thingwarden/thingwarden/discovery"
)

const (
	// batch is how many inputs are taken in before the home is judged anew.
	batch = 256
	// snapshotEvery is the shortest time between two snapshots: an announcement
	// of forty services is one change to whoever looks at it.
	snapshotEvery = 50 * time.Millisecond
	// stateEvery is the shortest time between two saves of what can be learned
	// again; memory cards wear out.
	stateEvery = time.Minute
	// earlyAfter is how soon an event has the state saved, so that a crash makes
	// nobody hear it twice: time enough to be sent. Between two minutes that
	// happens at most earlySaves times, and in the long run once a minute: what
	// happens in the home must not wear the card out.
	earlyAfter = time.Second
	earlySaves = 10
	// retrySave is how long a failed save waits before it is tried again.
	retrySave = 10 * time.Second
)

// stateHealth is the component of health that stands for the state folder.
const stateHealth = "state"

// input is something for the loop to apply.
type input struct {
	home.Input                    // nil for nothing
	then       func(home.Effects) // called by the loop afterwards; may be nil
}

// saved is the outcome of writing decisions or state.
type saved struct {
	decisions bool
	history   bool
	err       error
}

// wish is a decision that waits for the disk: what can't be saved is not carried out.
type wish struct {
	decision home.Decision
	done     chan error // has room for the answer
	// taken is set once, by the loop when it begins to save, or by whoever waits when
	// that takes too long: what was called off must not be carried out later.
	taken *atomic.Bool
}

// take reports whether the wish is the caller's to carry out or to call off.
func (w wish) take() bool { return w.taken.CompareAndSwap(false, true) }

// loop owns the home: the only goroutine that reads or changes it.
type loop struct {
	a       *Agent
	home    *home.Home
	waiting []wish // for the decisions that are being written
	queued  []wish // for the next writing
	writing bool
	saved   chan saved
	stateAt time.Time // of the last save of the state
	shownAt time.Time // of the last snapshot
	retryAt time.Time // when decisions are saved after that failed
	eventAt time.Time // of the first event that is not saved; zero if all are
	early   *rate.Limiter
	unsaved bool // the last save failed
	touched bool // something changed since the state was saved
	due     bool // a new snapshot is
	history store.Lines
	dirty   bool   // decisions that nobody waits for may differ from the file
	written []byte // the decisions that were written last
	final   bool   // the last snapshot was shown
}

func newLoop(a *Agent, h *home.Home) *loop {
	return &loop{a: a, home: h, due: true, saved: make(chan saved, 1), early: rate.NewLimiter(rate.Every(stateEvery), earlySaves)}
}

// run takes inputs until ctx is done, then saves everything.
func (l *loop) run(ctx context.Context) error {
	l.stateAt = l.a.now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return l.finish()
		case in := <-l.a.inputs:
			l.take(in)
		case s := <-l.saved:
			l.wrote(s)
		case <-l.a.mail.wake:
		case <-timer.C:
		}
		timer.Reset(l.settle())
	}
}

// take handles one input and what else waits behind it, up to a batch.
func (l *loop) take(in input) {
	now := l.a.now()
	l.handle(in, now)
	for range batch {
		select {
		case in := <-l.a.inputs:
			l.handle(in, now)
		default:
			return
		}
	}
}

func (l *loop) handle(in input, now time.Time) {
	var e home.Effects
	if in.Input != nil {
		e = l.apply(in.Input, now)
	}
	if in.then != nil {
		in.then(e)
	}
}

// apply has the home take in an input, and sees to what follows.
func (l *loop) apply(in home.Input, now time.Time) home.Effects {
	e := l.home.Apply(in, now)
	l.due = l.due || e.Snapshot
	l.touched = l.touched || e.Snapshot || e.Learning || e.Decisions
	l.dirty = l.dirty || e.Decisions
	if e.Owners != nil {
		l.a.owned.Store(&e.Owners)
	}
	l.history.AddEvents(e.News)
	if (len(e.News) > 0 || e.Sent) && l.eventAt.IsZero() {
		l.eventAt = now
	}
	l.a.passOn(e)
	return e
}

// settle judges, shows and saves what is due, and returns how long nothing
// will be.
func (l *loop) settle() time.Duration {
	now := l.a.now()
	l.readMail(now)
	next := l.apply(home.Tick{}, now).Next
	if l.due && !l.final {
		if due := l.shownAt.Add(snapshotEvery); now.Before(due) {
			next = earliest(next, due)
		} else {
			l.shownAt = now
			l.show(now)
		}
	}
	l.save(now)
	if l.touched && !l.writing && l.a.store != nil {
		next = earliest(next, l.stateDue(now))
	}
	if !l.writing && l.a.store != nil {
		next = earliest(next, l.history.Due())
	}
	if l.dirty && !l.writing && l.a.store != nil {
		next = earliest(next, l.decisionsDue(now))
	}
	if next.IsZero() {
		return time.Hour
	}
	return max(next.Sub(now), time.Millisecond)
}

// lastLook shows what is known now, and nothing any more after that.
func (l *loop) lastLook() {
	now := l.a.now()
	l.readMail(now)
	l.apply(home.Tick{}, now)
	if l.due {
		l.show(now)
	}
	l.final = true
}

func (l *loop) show(now time.Time) {
	l.due = false
	l.history.AddScores(l.a.show(l.home, now))
	l.due = false // what show has the home told of is in the snapshot
}

// readMail applies what came by the mailbox.
func (l *loop) readMail(now time.Time) {
	for _, in := range l.a.mail.empty() {
		l.apply(in, now)
	}
}

// save starts writing what is due; the disk never holds up the loop.
func (l *loop) save(now time.Time) {
	if l.writing || l.a.store == nil {
		return
	}
	switch {
	case len(l.queued) > 0:
		l.preview(now)
	case l.dirty && !now.Before(l.decisionsDue(now)):
		l.dirty = false
		b, err := json.MarshalIndent(l.home.Decisions(), "", " ")
		if !bytes.Equal(b, l.written) || l.unsaved {
			l.write(store.DecisionsFile, b, err)
		}
	case !l.history.Due().IsZero() && !now.Before(l.history.Due()):
		l.writing = true
		lines := l.history.Take(now)
		go func() { l.saved <- saved{history: true, err: l.a.store.AppendHistory(lines)} }()
	case l.touched && !l.dirty && !now.Before(l.stateDue(now)):
		if now.Sub(l.stateAt) < stateEvery {
			l.early.AllowN(now, 1)
		}
		l.touched, l.stateAt = false, now
		l.eventAt = time.Time{}
		b, err := json.Marshal(l.a.saveState(l.home, now))
		l.write(store.StateFile, b, err)
	}
}

// preview answers the commands that are refused, and starts writing the decisions
// as they will be with the others.
func (l *loop) preview(now time.Time) {
	dec := l.allowed(now)
	if len(l.waiting) == 0 {
		return
	}
	b, err := json.MarshalIndent(dec, "", " ")
	l.write(store.DecisionsFile, b, err)
}

// allowed moves the queued commands that make sense to those that wait for the
// disk, and returns the decisions with them.
func (l *loop) allowed(now time.Time) *home.Decisions {
	var all []home.Decision
	l.queued = slices.DeleteFunc(l.queued, func(w wish) bool { return !w.take() })
	for _, w := range l.queued {
		all = append(all, w.decision)
	}
	dec, errs := l.home.Preview(all, now)
	for i, w := range l.queued {
		if errs[i] != nil {
			w.done <- errs[i]
			continue
		}
		l.waiting = append(l.waiting, w)
	}
	l.queued = nil
	return dec
}

// do carries out a command: at once if nothing of it is kept, else as soon as it is
// on the disk.
func (l *loop) do(w wish) {
	if do, ok := w.decision.(home.Do); l.a.store == nil || ok && do.Action == report.Recheck {
		if !w.take() {
			return
		}
		w.done <- l.apply(w.decision, l.a.now()).Err
		return
	}
	l.queued = append(l.queued, w)
}

// answer carries out the commands that waited for the disk, or refuses them.
func (l *loop) answer(err error) {
	now := l.a.now()
	for _, w := range l.waiting {
		if err != nil {
			w.done <- err
			continue
		}
		w.done <- l.apply(w.decision, now).Err
		l.shownAt = time.Time{} // show it now
	}
	l.waiting = nil
}

// decisionsDue is when decisions are to be saved that nobody waits for, such as that
// a device is known: with the state and before it, as what a device is in the state
// must not be known less well than that it is there.
func (l *loop) decisionsDue(now time.Time) time.Time {
	if l.unsaved {
		return l.retryAt
	}
	return l.stateDue(now)
}

// stateDue is when the state is to be saved, if anything has changed.
func (l *loop) stateDue(now time.Time) time.Time {
	due := l.stateAt.Add(stateEvery)
	if !l.eventAt.IsZero() && l.early.TokensAt(now) >= 1 {
		due = earliest(due, l.eventAt.Add(earlyAfter))
	}
	return due
}

func (l *loop) write(name string, b []byte, err error) {
	l.writing = true
	if name == store.DecisionsFile {
		l.written = b
	}
	go func() {
		if err == nil {
			err = l.a.store.Write(name, b)
		}
		l.saved <- saved{decisions: name == store.DecisionsFile, err: err}
	}()
}

func (l *loop) wrote(s saved) {
	l.writing = false
	switch {
	case s.history:
		if s.err != nil {
			l.a.log.Warn("history not saved", "err", s.err)
		}
	case s.err != nil:
		if !l.unsaved {
			l.a.log.Error("state not saved", "err", s.err)
		}
		l.unsaved = true
		l.setHealth(discovery.Down, fmt.Sprintf("What you decide can't be saved: %v.", s.err))
		l.dirty = l.dirty || s.decisions // to see when the disk takes them again
		l.touched = l.touched || !s.decisions
		l.retryAt = l.a.now().Add(retrySave)
	case !l.dirty || s.decisions:
		if l.unsaved {
			l.a.log.Info("state saved again")
		}
		l.unsaved = false
		l.setHealth(discovery.OK, "")
	}
	if s.decisions {
		l.answer(s.err)
	}
}

func (l *loop) setHealth(s discovery.Status, problem string) {
	l.apply(home.Health{Name: stateHealth, Status: s, Error: problem}, l.a.now())
}

// finish writes everything before the agent ends.
func (l *loop) finish() error {
	if l.writing {
		l.wrote(<-l.saved)
	}
	if l.a.store == nil {
		return nil
	}
	now := l.a.now()
	dec, err := json.MarshalIndent(l.allowed(now), "", " ")
	if err == nil {
		err = l.a.store.Write(store.DecisionsFile, dec)
	}
	l.answer(err)
	if err != nil {
		return err
	}
	if err := l.a.store.AppendHistory(l.history.Take(now)); err != nil {
		l.a.log.Warn("history not saved", "err", err)
	}
	st, err := json.Marshal(l.a.saveState(l.home, now))
	if err != nil {
		return fmt.Errorf("saving the state: %w", err)
	}
	return l.a.store.Write(store.StateFile, st)
}

func earliest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}
