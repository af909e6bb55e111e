package agent

import (
	"errors"
	"time"

	"github.com/thingwarden/thingwarden/agent/clock"
	"github.com/thingwarden/thingwarden/agent/home"
	"github.com/thingwarden/thingwarden/discovery"
)

// setClock has the agent go by a clock that knows until when an earlier run was.
func (a *Agent) setClock(st *home.State) {
	var saved time.Time
	if st != nil {
		saved = st.SavedAt
	}
	a.clock = clock.New(a.opt.Built, saved)
	a.now = a.clock.Now
}

// ErrClockWentBack ends a run whose clock went back by years, such as from 2099 to
// now: times in the future are in every part of it. The next run begins with what
// was saved, and none of them.
var ErrClockWentBack = errors.New("the clock was set back")

// checkClock shows in health whether the machine's clock is believed. It is an error
// if the time went back.
func (a *Agent) checkClock() error {
	problem := a.clock.Problem()
	switch {
	case problem != "" && !a.clockNoticed:
		a.log.Warn("the machine's clock is not believed", "problem", problem)
		a.mail.setHealth("clock", discovery.Degraded, problem)
	case problem == "" && a.clockNoticed:
		a.log.Info("the machine's clock is believed again")
		a.mail.setHealth("clock", discovery.OK, "")
	}
	a.clockNoticed = problem != ""
	if a.clock.WentBack() {
		return ErrClockWentBack
	}
	return nil
}
