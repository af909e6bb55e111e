package clock

import (
	"strings"
	"testing"
	"time"
)

// wall is a machine's clocks.
type wall struct {
	runs time.Duration
	off  time.Duration // by how much the clock on the wall was set
}

var right = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) // at the start

func (m *wall) read() (time.Time, time.Duration) { return right.Add(m.runs).Add(m.off), m.runs }

// TestClock is about threat T24 of the catalogue.
func TestClock(t *testing.T) {
	const day, year = 24 * time.Hour, 365 * 24 * time.Hour
	type step struct {
		runs time.Duration // before
		set  time.Duration // by how much the machine's clock is set then
		want time.Duration // the agent's time after the right one
		bad  bool          // the machine's clock is not believed
	}
	for _, tt := range []struct {
		name         string
		off          time.Duration // of the machine's clock at the start
		built, saved time.Duration // before the right time; 0: not known
		steps        []step
	}{
		{"right", 0, year, day, []step{{time.Hour, 0, 0, false}, {40 * day, 0, 0, false}}},
		{"set a little", 0, year, day, []step{{time.Hour, time.Hour, time.Hour, false}}},
		{"ten seconds in 2099", 0, 0, 0, []step{{time.Hour, 70 * year, 0, true}, {10 * time.Second, -70 * year, 0, false}}},
		{"set for good", 0, 0, 0, []step{{time.Hour, 2 * year, 0, true}, {time.Hour, 0, 2 * year, false}}},
		{"boot in 1970, then NTP", -40 * year, year, day, []step{{0, 0, -day, true}, {time.Minute, 40 * year, 0, false}}},
		{"boot in 1970 for good", -40 * year, year, day, []step{{2 * day, 0, -day, true}}},
		{"boot an hour before the last save", -25 * time.Hour, year, day, []step{{0, 0, -day, true}, {time.Hour, 0, -25 * time.Hour, false}}},
		{"the first start was in 2099", 70 * year, 0, 0, []step{{time.Hour, 0, 70 * year, false}, {0, -70 * year, 70 * year, true}, {time.Hour, 0, 0, false}}},
		{"saved in 2099", 0, year, -70 * year, []step{{0, 0, 70 * year, true}, {time.Hour, 0, 0, false}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &wall{off: tt.off}
			var built, saved time.Time
			if tt.built != 0 {
				built = right.Add(-tt.built).Round(0)
			}
			if tt.saved != 0 {
				saved = right.Add(-tt.saved).Round(0)
			}
			c := newClock(m.read, built, saved)
			c.Now()
			for i, s := range tt.steps {
				m.runs += s.runs
				c.Now()
				m.off += s.set
				got := c.Now().Sub(right.Add(m.runs))
				if diff := (got - s.want).Abs(); diff > time.Second {
					t.Errorf("step %d: the time is %v off, want %v", i, got, s.want)
				}
				if problem := c.Problem(); (problem != "") != s.bad || s.bad && !strings.HasPrefix(problem, "The clock of this machine seems to be wrong") {
					t.Errorf("step %d: problem %q", i, problem)
				}
			}
		})
	}
}

func TestClockThatWentBackSaysSo(t *testing.T) {
	m := &wall{off: 70 * 365 * 24 * time.Hour}
	c := newClock(m.read, time.Time{}, time.Time{})
	for _, s := range []struct {
		runs, set time.Duration
		want      bool
	}{
		{time.Hour, 0, false},
		{time.Minute, -70 * 365 * 24 * time.Hour, false}, // not believed yet
		{time.Hour, 0, true},
	} {
		m.runs += s.runs
		m.off += s.set
		if got := c.WentBack(); got != s.want {
			t.Errorf("after %v: went back %v, want %v", m.runs, got, s.want)
		}
	}
}
