package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/time/rate"

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
	// decisionsEvery is the shortest time between two saves of decisions that
	// nobody waits for, such as that a device is known.
	decisionsEvery = time.Second
	// retrySave is how long a failed save waits before it is tried again.
	retrySave = 10 * time.Second
	// holdShow is how long a snapshot waits at most for the disk to have what the
	// owner decided: a switch that turns in Home Assistant is an answer too.
	holdShow = time.Second
)

// input is something for the loop to do with the core.
type input func(c *core, now time.Time)

// saved is the outcome of writing decisions or state.
type saved struct {
	decisions bool
	err       error
}

// loop owns the core: the only goroutine that reads or changes it.
type loop struct {
	a       *Agent
	core    *core
	waiting []chan error // for the decisions that are being written
	queued  []chan error // for the next writing
	writing bool
	saved   chan saved
	stateAt time.Time // of the last save of the state
	shownAt time.Time // of the last snapshot
	decAt   time.Time // from when on decisions are saved that nobody waits for
	eventAt time.Time // of the first event that is not saved; zero if all are
	early   *rate.Limiter
	held    time.Time // until when no snapshot is shown, for want of the disk's answer
	unsaved bool      // the last save failed
	touched bool      // something changed since the state was saved
	final   bool      // the last snapshot was shown
}

func newLoop(a *Agent, c *core) *loop {
	return &loop{a: a, core: c, saved: make(chan saved, 1), early: rate.NewLimiter(rate.Every(stateEvery), earlySaves)}
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
	in(l.core, now)
	for range batch {
		select {
		case in := <-l.a.inputs:
			in(l.core, now)
		default:
			return
		}
	}
}

// settle judges, shows and saves what is due, and returns how long nothing
// will be.
func (l *loop) settle() time.Duration {
	now := l.a.now()
	l.a.mail.empty(l.core)
	next := l.core.tick(now)
	l.a.passOn(l.core)
	if l.core.changed {
		l.touched = true
	}
	if l.core.eventful && l.eventAt.IsZero() {
		l.eventAt = now
	}
	if l.core.changed && !l.final {
		due := l.shownAt.Add(snapshotEvery)
		if l.held.After(due) {
			due = l.held
		}
		if now.Before(due) {
			next = earliest(next, due)
		} else {
			l.shownAt = now
			l.a.show(l.core, now)
		}
	}
	l.save(now)
	if l.touched && !l.writing && l.a.store != nil {
		next = earliest(next, l.stateDue(now))
	}
	if l.core.decDirty && !l.writing {
		next = earliest(next, l.decAt)
	}
	if next.IsZero() {
		return time.Hour
	}
	return max(next.Sub(now), time.Millisecond)
}

// lastLook shows what is known now, and nothing any more after that.
func (l *loop) lastLook() {
	now := l.a.now()
	l.a.mail.empty(l.core)
	l.core.tick(now)
	if l.core.changed && now.After(l.held) {
		l.a.show(l.core, now)
	}
	l.final = true
}

// save starts writing what is due; the disk never holds up the loop.
func (l *loop) save(now time.Time) {
	if l.writing || l.a.store == nil {
		l.answerUnsaved()
		return
	}
	switch {
	case len(l.queued) > 0, l.core.decDirty && !now.Before(l.decAt):
		l.core.decDirty, l.decAt = false, now.Add(decisionsEvery)
		l.waiting, l.queued = l.queued, nil
		b, err := json.MarshalIndent(l.core.dec, "", " ")
		l.write(decisionsFile, b, err)
	case l.touched && !now.Before(l.stateDue(now)):
		if now.Sub(l.stateAt) < stateEvery {
			l.early.AllowN(now, 1)
		}
		l.touched, l.stateAt = false, now
		l.core.eventful, l.eventAt = false, time.Time{}
		b, err := json.Marshal(l.a.saveState(l.core, now))
		l.write(stateFile, b, err)
	}
}

// stateDue is when the state is to be saved, if anything has changed.
func (l *loop) stateDue(now time.Time) time.Time {
	due := l.stateAt.Add(stateEvery)
	if !l.eventAt.IsZero() && l.early.TokensAt(now) >= 1 {
		due = earliest(due, l.eventAt.Add(earlyAfter))
	}
	return due
}

// answerUnsaved answers commands of an agent that keeps no state (a scan).
func (l *loop) answerUnsaved() {
	if l.a.store != nil {
		return
	}
	for _, w := range l.queued {
		w <- nil
	}
	l.queued, l.held = nil, time.Time{}
}

func (l *loop) write(name string, b []byte, err error) {
	l.writing = true
	go func() {
		if err == nil {
			err = l.a.store.write(name, b)
		}
		l.saved <- saved{decisions: name == decisionsFile, err: err}
	}()
}

func (l *loop) wrote(s saved) {
	l.writing = false
	switch {
	case s.err != nil:
		if !l.unsaved {
			l.a.log.Error("state not saved", "err", s.err)
		}
		l.unsaved = true
		l.core.setHealth("state", discovery.Down, fmt.Sprintf("What you decide can't be saved: %v.", s.err))
		l.core.decDirty = l.core.decDirty || s.decisions
		l.touched = l.touched || !s.decisions
		l.decAt = l.a.now().Add(retrySave)
	case !l.core.decDirty || s.decisions:
		if l.unsaved {
			l.a.log.Info("state saved again")
		}
		l.unsaved = false
		l.core.setHealth("state", discovery.OK, "")
	}
	if s.decisions {
		for _, w := range l.waiting {
			w <- s.err
		}
		l.waiting = nil
		if len(l.queued) == 0 {
			l.held, l.shownAt = time.Time{}, time.Time{} // show it now
		}
	}
}

// await has done answered when all that was decided so far is on the disk.
func (l *loop) await(done chan error, now time.Time) {
	if len(l.queued)+len(l.waiting) == 0 {
		l.held = now.Add(holdShow)
	}
	l.queued = append(l.queued, done)
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
	dec, err := json.MarshalIndent(l.core.dec, "", " ")
	if err == nil {
		err = l.a.store.write(decisionsFile, dec)
	}
	for _, w := range l.queued {
		w <- err
	}
	if err != nil {
		return err
	}
	st, err := json.Marshal(l.a.saveState(l.core, now))
	if err != nil {
		return fmt.Errorf("saving the state: %w", err)
	}
	return l.a.store.write(stateFile, st)
}
