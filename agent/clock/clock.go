// Package clock is the time by which the agent works, which goes on by itself while
// the machine's clock can't be right (threat T24).
//
// It sets no clock, and it is not its job to say in health what is wrong.
package clock

import (
	"fmt"
	"sync"
	"time"
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

// Clock is the time by which the agent works. It distrusts the machine's clock when
// that lies before a time that has been, or leaps (threat T24): then it goes on by
// itself. It is safe for concurrent use.
type Clock struct {
	// read returns the machine's time, and for how long something has run by a clock
	// that nobody sets.
	read func() (time.Time, time.Duration)

	mu       sync.Mutex
	built    time.Time     // before which no clock is right
	floor    time.Time     // a time that has been
	low      bool          // the machine's clock lay before the floor at the start
	last     time.Time     // the machine's, when it was read last
	ran      time.Duration // until then
	offset   time.Duration // what is added to the machine's time; 0 while it is trusted
	set      time.Duration // the running time when the clock was set to what is not believed
	returned time.Time     // the time that was returned last
	back     bool          // it went back by a leap since
}

// New returns a clock of this machine. The program was built and its state saved at
// times that have been; zero if that is not known.
func New(built, saved time.Time) *Clock { return newClock(machine(), built, saved) }

func newClock(read func() (time.Time, time.Duration), built, saved time.Time) *Clock {
	c := &Clock{read: read, built: built, floor: built}
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

func (c *Clock) behind(t time.Time) bool { return c.floor.Sub(t) > tolerated }

func (c *Clock) distrust(offset time.Duration) { c.offset, c.set = offset, c.ran }

func (c *Clock) trust() { c.offset, c.low = 0, false }

// Now returns the time.
func (c *Clock) Now() time.Time {
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
	c.back = c.back || c.returned.Round(0).Sub(t.Round(0)) > leap
	c.returned = t
	return t
}

// WentBack reports whether the time that Now returns has gone back by a leap: what
// was noted before lies in the future.
func (c *Clock) WentBack() bool {
	c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.back
}

// Problem says what is wrong with the machine's clock; empty for nothing.
func (c *Clock) Problem() string {
	now := c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.offset == 0 {
		return ""
	}
	return fmt.Sprintf("The clock of this machine seems to be wrong: it says %s. Thingwarden goes on with %s until that clock is right, or has gone on evenly for an hour. Check the time and its synchronisation (NTP).",
		c.last.UTC().Format("2006-01-02 15:04"), now.UTC().Format("2006-01-02 15:04"))
}

// machine reads the clocks of this machine.
func machine() func() (time.Time, time.Duration) {
	start := time.Now()
	return func() (time.Time, time.Duration) {
		t := time.Now()
		return t, t.Sub(start) // by the monotonic clock
	}
}
