package agent

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
)

const (
	// leap is how far the clock of this machine may be set while the agent runs, and
	// tolerated how far it may lie before a time that has been.
	leap      = 24 * time.Hour
	tolerated = 5 * time.Minute
	// steadyFor is how long a clock that was set must go on evenly to be believed.
	steadyFor = time.Hour
	// mostOff is how long a machine may have been switched off for its clock to be
	// believed at once when it is set right.
	mostOff = 5 * 365 * 24 * time.Hour
)

// clockHealth is the component of health that stands for the machine's clock.
const clockHealth = "clock"

// clock is the time by which the agent works. It distrusts the machine's clock when
// that lies before a time that has been, or leaps (threat T24): then it goes on by
// itself. It is safe for concurrent use.
type clock struct {
	// read returns the machine's time, and for how long something has run by a clock
	// that nobody sets.
	read func() (time.Time, time.Duration)

	mu     sync.Mutex
	built  time.Time     // before which no clock is right
	floor  time.Time     // a time that has been
	low    bool          // the machine's clock lay before the floor at the start
	last   time.Time     // the machine's, when it was read last
	ran    time.Duration // until then
	offset time.Duration // what is added to the machine's time; 0 while it is trusted
	set    time.Duration // the running time when the clock was set to what is not believed
	told   time.Time     // the time that was returned last
	back   bool          // it went back by a leap since
}

// newClock returns a clock that reads the machine's with read. The program was built
// and its state saved at times that have been; zero if that is not known.
func newClock(read func() (time.Time, time.Duration), built, saved time.Time) *clock {
	c := &clock{read: read, built: built, floor: built}
	c.last, c.ran = read()
	if saved.After(c.floor) {
		c.floor = saved
	}
	if c.behind(c.last) {
		c.low = true
		c.distrust(c.floor.Sub(c.last))
	}
	return c
}

func (c *clock) behind(t time.Time) bool { return c.floor.Sub(t) > tolerated }

func (c *clock) distrust(offset time.Duration) { c.offset, c.set = offset, c.ran }

func (c *clock) trust() { c.offset, c.low = 0, false }

// now returns the time.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ran := c.read()
	leapt := t.Round(0).Sub(c.last.Round(0)) - (ran - c.ran)
	c.last, c.ran = t, ran
	if leapt.Abs() > leap {
		c.distrust(c.offset - leapt)
	}
	switch {
	case c.offset == 0, c.built.Sub(t) > tolerated:
	case ran-c.set >= steadyFor:
		c.floor = c.built // which the time of a wrong clock may have been
		c.trust()
	case c.behind(t):
	case c.offset.Abs() <= tolerated, c.low && t.Sub(c.floor) < mostOff:
		c.trust()
	}
	if c.offset != 0 {
		t = t.Round(0).Add(c.offset)
	}
	c.back = c.back || c.told.Round(0).Sub(t.Round(0)) > leap
	c.told = t
	return t
}

// wentBack reports whether the time that now returns has gone back by a leap: what
// was noted before lies in the future.
func (c *clock) wentBack() bool {
	c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.back
}

// problem says what is wrong with the machine's clock; empty for nothing.
func (c *clock) problem() string {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.offset == 0 {
		return ""
	}
	return fmt.Sprintf("The clock of this machine seems to be wrong: it says %s. Thingwarden goes on with %s until that clock is right, or has gone on evenly for an hour. Check the time and its synchronisation (NTP).",
		c.last.UTC().Format("2006-01-02 15:04"), now.UTC().Format("2006-01-02 15:04"))
}

// buildTime is when the program's sources were committed, as the Go tool noted; zero
// if it did not.
func buildTime() time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			t, _ := time.Parse(time.RFC3339, s.Value) // zero if it is none
			return t
		}
	}
	return time.Time{}
}

// ErrClockWentBack ends a run whose clock went back by years, such as from 2099 to
// now: times in the future are in every part of it. The next run begins with what
// was saved, and none of them.
var ErrClockWentBack = errors.New("the clock was set back")

// checkClock shows in health whether the machine's clock is believed. It is an error
// if the time went back.
func (a *Agent) checkClock() error {
	problem := a.clock.problem()
	switch {
	case problem != "" && !a.clockTold:
		a.log.Warn("the machine's clock is not believed", "problem", problem)
		a.mail.setHealth(clockHealth, discovery.Degraded, problem)
	case problem == "" && a.clockTold:
		a.log.Info("the machine's clock is believed again")
		a.mail.setHealth(clockHealth, discovery.OK, "")
	}
	a.clockTold = problem != ""
	if a.clock.wentBack() {
		return ErrClockWentBack
	}
	return nil
}

// machineClock reads the clocks of this machine.
func machineClock() func() (time.Time, time.Duration) {
	start := time.Now()
	return func() (time.Time, time.Duration) {
		t := time.Now()
		return t, t.Sub(start) // by the monotonic clock
	}
}
