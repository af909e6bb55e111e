package zigbee2mqtt

import (
	"slices"
	"time"
)

const (
	day = 24 * time.Hour
	// maxWindow is the longest that the Zigbee stack opens a network at one
	// request; Zigbee2MQTT 2 knows no other way to open it.
	maxWindow = 254 * time.Second
	// maxWindows bounds what is remembered of one day.
	maxWindows = 512
)

// joinWindow follows whether a Zigbee network lets devices join. Times of
// which nothing was heard count as closed, so its sums are at least that.
type joinWindow struct {
	known     bool // the bridge has reported since it was last lost
	open      bool
	confirmed bool      // closed by a message of the bridge, not because the time it named has come
	since     time.Time // of the unbroken open time
	until     time.Time // closes by itself; zero if never
	closed    time.Time // when it last closed; zero if it was not seen open
	past      []span    // closed windows that end in the last day
	proof     string
}

type span struct{ from, to time.Time }

// set takes what the bridge says. Live is false for a retained message, which
// may be old.
func (w *joinWindow) set(open bool, end time.Time, live bool, proof string, now time.Time) {
	w.known, w.proof = true, proof
	if open && !end.IsZero() && !end.After(now) {
		// Said just now and over already: the two clocks differ.
		if end = now.Add(maxWindow); !live {
			open = false
		}
	}
	if !open {
		w.shut(now)
		w.confirmed = true
		return
	}
	if !w.open {
		w.open, w.since = true, now
	}
	w.until = end
}

// lose is called when the bridge is no longer heard.
func (w *joinWindow) lose(now time.Time) {
	w.shut(now)
	w.known, w.confirmed, w.closed = false, false, time.Time{}
}

// tick closes the window when its time has come.
func (w *joinWindow) tick(now time.Time) (changed bool) {
	if !w.open || w.until.IsZero() || now.Before(w.until) {
		return false
	}
	w.shut(w.until)
	w.confirmed = false
	w.proof += " (over)"
	return true
}

func (w *joinWindow) shut(now time.Time) {
	if !w.open {
		return
	}
	w.open, w.closed = false, now
	w.past = append(w.past, span{w.since, now})
	if len(w.past) > maxWindows {
		// Keep the sum of the two oldest.
		w.past[1].from = w.past[1].from.Add(-w.past[0].to.Sub(w.past[0].from))
		w.past = slices.Delete(w.past, 0, 1)
	}
}

// lastDay returns for how long the network was open in the 24 hours before now.
func (w *joinWindow) lastDay(now time.Time) time.Duration {
	start := now.Add(-day)
	w.past = slices.DeleteFunc(w.past, func(s span) bool { return !s.to.After(start) })
	spans := w.past
	if w.open {
		spans = append(slices.Clip(spans), span{w.since, now})
	}
	var sum time.Duration
	for _, s := range spans {
		if s.from.Before(start) {
			s.from = start
		}
		sum += s.to.Sub(s.from)
	}
	return sum
}

// next returns when tick or lastDay has something new to say; zero if never.
func (w *joinWindow) next(now time.Time) time.Time {
	switch {
	case w.open && !w.until.IsZero() && w.until.Before(now.Add(time.Minute)):
		return w.until
	case w.open:
		return now.Add(time.Minute)
	case len(w.past) > 0:
		return now.Add(10 * time.Minute)
	}
	return time.Time{}
}

// invited reports whether a device that shows up now may have come through the
// window, and whether that is known at all.
func (w *joinWindow) invited(now time.Time) (invited, known bool) {
	const late = 10 * time.Second // from a device's joining to our hearing of it
	switch {
	case !w.known:
		return false, false
	case w.open || !w.closed.IsZero() && now.Sub(w.closed) < late:
		return true, true
	}
	return false, w.confirmed
}
