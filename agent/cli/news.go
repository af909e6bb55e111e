package cli

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/policy"
)

const (
	// newsEvery is how often a running agent's news is printed, and logEvery how
	// often it is logged, which nobody waits for: each time wakes the processor.
	newsEvery = 500 * time.Millisecond
	logEvery  = 5 * time.Second
	// nameless is how long a device has to get a name before it is printed
	// without one.
	nameless = 4 * time.Second
)

// news tells what changed from one snapshot to the next, one line each.
type news struct {
	every    time.Duration
	since    time.Time // findings that are older are told only when they change
	line     func(now time.Time, what string, sev policy.Severity, text string)
	seen     map[discovery.ID]time.Time // when a device was first in a snapshot
	known    map[discovery.ID]string    // what it was called
	findings map[discovery.ID]map[string]policy.Finding
	blind    string
}

// newNews returns news for a person who watches.
func newNews(w screen) *news {
	n := emptyNews(newsEvery)
	n.line = func(now time.Time, what string, sev policy.Severity, text string) {
		head := now.Format(time.TimeOnly) + gap + w.paint(pad(what, severityWide), sev) + gap
		fmt.Fprint(w, hang(head, len(time.TimeOnly)+severityWide+2*len(gap), text))
	}
	return n
}

// loggedNews returns news for a log that is read later: what is to be done at once
// as warnings, and devices, which are many, for those who look for a fault.
// What was found before the program started stands there already.
func loggedNews(log *slog.Logger, started time.Time) *news {
	n := emptyNews(logEvery)
	n.since = started
	n.line = func(_ time.Time, what string, sev policy.Severity, text string) {
		level := slog.LevelInfo
		switch {
		case what == "warning":
			return // health is in the log already
		case what == "device" || what == "gone":
			level = slog.LevelDebug
		case sev >= policy.High:
			level = slog.LevelWarn
		}
		log.Log(context.Background(), level, text, "news", what)
	}
	return n
}

func emptyNews(every time.Duration) *news {
	return &news{every: every, seen: map[discovery.ID]time.Time{}, known: map[discovery.ID]string{},
		findings: map[discovery.ID]map[string]policy.Finding{}}
}

func (n *news) print(s *report.Snapshot, now time.Time) {
	if s.Blind != n.blind {
		if n.blind = s.Blind; s.Blind != "" {
			n.line(now, "warning", 0, s.Blind)
		}
	}
	for i := range s.Devices {
		d := &s.Devices[i]
		if n.device(d, now) {
			n.changes(d, now)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(n.known)) {
		if s.Device(id) == nil {
			n.line(now, "gone", 0, n.known[id])
			delete(n.known, id)
			delete(n.seen, id)
			delete(n.findings, id)
		}
	}
}

// device prints a device when it is new, and reports whether it has been
// printed: its findings come after it.
func (n *news) device(d *report.Device, now time.Time) bool {
	if _, known := n.known[d.ID]; known || d.ID == discovery.Hub {
		return true
	}
	first, known := n.seen[d.ID]
	if !known {
		first = now
		n.seen[d.ID] = now
	}
	if !d.Identified && now.Sub(first) < nameless {
		return false
	}
	text := label(d, 40)
	n.known[d.ID] = text
	text += " at " + address(d)
	if what := product(d); what != "" {
		text += ": " + what
	}
	n.line(now, "device", 0, text)
	return true
}

// changes prints what changed in a device's findings, but for those that only inform.
func (n *news) changes(d *report.Device, now time.Time) {
	before := n.findings[d.ID]
	after := map[string]policy.Finding{}
	n.findings[d.ID] = after
	for _, f := range d.Findings {
		old, known := before[f.Policy.ID]
		after[f.Policy.ID] = f
		was, status := known && old.Actionable(), f.Status
		if f.Severity == policy.Info {
			status = policy.Resolved
		}
		switch {
		case !known && f.Since.Before(n.since):
		case f.Actionable() && (!was || old.Severity < f.Severity):
			n.line(now, f.Severity.String(), f.Severity, fmt.Sprintf("%s: %s (%s)", label(d, 40), title(f), f.Policy.ID))
		case was && !f.Actionable():
			n.line(now, string(status), 0, fmt.Sprintf("%s: %s (%s)", label(d, 40), f.Policy.Title, f.Policy.ID))
		}
	}
}
