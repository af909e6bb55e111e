package web

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

// How many problems and accepted risks the first screen names.
const (
	firstThings    = 3
	acceptedThings = 6
)

type overview struct {
	frame
	Headline  string
	Score     gauge
	Counts    []tally
	First     []task
	More      int // problems that are not among First
	New       []newDevice
	News      []change
	Since     stamp // of the last visit
	Unwatched []component
	Unchecked int
	Hidden    int // devices that the owner deleted in Home Assistant
	Accepted  []finding
	Accepts   int // how many there are, if not all are listed
	Pass      *progress
	LastScan  stamp
	Paused    string // until when events are
	Checked   int    // checks that came out one way or the other
}

// tally is how many problems there are of a severity.
type tally struct {
	N             int
	Severity, Due string
}

// task is a problem with its first step, on one or more devices.
type task struct {
	finding
	More int // further devices
	Step string
}

type newDevice struct {
	deviceRef
	What  string
	Since stamp
}

// change is something that is different since the last visit.
type change struct {
	Kind, Text string // Kind: new, worse, better
	Device     deviceRef
	At         stamp
	at         time.Time
}

type progress struct{ Done, Total int }

func (p *Page) showOverview(w http.ResponseWriter, r *http.Request, v visitor) {
	f := p.frame(r, v, "", "Overview")
	s := f.snapshot
	counts := s.Counts()
	view := overview{
		frame: f, Headline: headline(s, counts), Score: homeGauge(s, counts), LastScan: f.stamp(s.LastScan),
		Accepted: f.findings(func(x policy.Finding) bool { return x.Status == policy.Accepted }), Unchecked: summarise(s).unchecked, Hidden: s.Hidden(),
	}
	if n := len(view.Accepted); n > acceptedThings {
		view.Accepted, view.Accepts = view.Accepted[:acceptedThings], n
	}
	for sev := policy.Critical; sev > policy.Info; sev-- {
		if counts[sev] > 0 {
			view.Counts = append(view.Counts, tally{counts[sev], sev.String(), due(sev)})
		}
	}
	view.First, view.More = f.tasks(firstThings)
	for _, d := range slices.SortedFunc(slices.Values(s.Devices), f.byTitle) {
		if waits(d) {
			view.New = append(view.New, newDevice{f.ref(d), what(d), f.stamp(d.FirstSeen)})
		}
		view.Checked += d.Checked
	}
	for _, c := range components(s) {
		if c.Status != string(discovery.OK) {
			view.Unwatched = append(view.Unwatched, c)
		}
	}
	if s.PausedUntil.After(f.now) {
		view.Paused = moment(s.PausedUntil)
	}
	if s.LastScan.IsZero() {
		if n, total := p.opt.Progress(); total > 0 {
			view.Pass = &progress{n, total}
		}
	}
	if last := lastVisit(w, r, f.now); !last.IsZero() {
		view.Since, view.News = f.stamp(last), f.changes(last)
	}
	p.draw(w, r, http.StatusOK, "overview.html", view)
}

// tasks returns the n most urgent problems, each once with the worst device that
// has it, and how many findings are left over.
func (f frame) tasks(n int) (first []task, more int) {
	var out []task
	at := map[string]int{}
	for _, x := range f.findings(policy.Finding.Actionable) {
		if i, known := at[x.Policy]; known {
			out[i].More++
			continue
		}
		at[x.Policy] = len(out)
		t := task{finding: x}
		if len(x.Steps) > 0 {
			t.Step = x.Steps[0]
		}
		out = append(out, t)
	}
	for _, t := range out[min(n, len(out)):] {
		more += 1 + t.More
	}
	return out[:min(n, len(out))], more
}

// changes are what differs since a moment, newest first.
func (f frame) changes(since time.Time) []change {
	var out []change
	for _, d := range f.snapshot.Devices {
		add := func(kind, text string, at time.Time) {
			out = append(out, change{kind, text, f.ref(d), f.stamp(at), at})
		}
		isNew := d.ID != discovery.Hub && d.FirstSeen.After(since)
		if isNew {
			add("new", "Seen for the first time", d.FirstSeen)
		}
		for _, x := range d.Findings {
			title := fact.Clean(x.Policy.Title, 200)
			switch {
			case x.Severity == policy.Info:
			case x.Status == policy.Resolved && x.Changed.After(since):
				add("better", "Fixed: "+title, x.Changed)
			case x.Status == policy.Open && x.Since.After(since) && !isNew:
				add("worse", title, x.Since)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b change) int { return b.at.Compare(a.at) })
	return out
}

// headline is the most important thing to know, in one sentence. What was not
// looked at is never called well, and no more what was accepted.
func headline(s *report.Snapshot, counts map[policy.Severity]int) string {
	accepted := s.Accepted()
	rest := counts[policy.Medium] + counts[policy.Low]
	switch {
	case counts[policy.Critical] > 0:
		return count(counts[policy.Critical], "thing") + " to fix now."
	case counts[policy.High] > 0:
		return count(counts[policy.High], "thing") + " to fix today."
	case counts[policy.Medium] > 0:
		return "Nothing urgent. " + count(rest, "thing") + " to fix this week or later."
	case rest > 0:
		return "Nothing urgent. " + count(rest, "thing") + " to fix when convenient."
	case s.Blind != "":
		return "Nothing can be said about your home network yet."
	case s.Score() == nil:
		return "Nothing has been checked yet. The first results come within a minute or two."
	case accepted > 0:
		return "Nothing to fix except what you accepted: " + count(accepted, "risk") + "."
	default:
		return "Nothing to fix was found in what was checked."
	}
}

func homeGauge(s *report.Snapshot, counts map[policy.Severity]int) gauge {
	worst := policy.Severity(0)
	for sev, n := range counts {
		if n > 0 && sev > policy.Info {
			worst = max(worst, sev)
		}
	}
	return gaugeOf(s.Score(), worst, s.Accepted())
}

const (
	visitCookie = "thingwarden_visit"
	// visitEnds is after how long without a look the next one is a new visit.
	visitEnds = 30 * time.Minute
)

// lastVisit returns when this browser looked last, before the present visit; zero
// at the first one. The browser remembers it.
func lastVisit(w http.ResponseWriter, r *http.Request, now time.Time) (last time.Time) {
	var before, latest int64
	if c, err := r.Cookie(visitCookie); err == nil {
		_, _ = fmt.Sscanf(c.Value, "%d-%d", &before, &latest)
	}
	if now.Sub(time.Unix(latest, 0)) > visitEnds {
		before = latest
	}
	setCookie(w, r, visitCookie, fmt.Sprintf("%d-%d", before, now.Unix()), 365*24*time.Hour)
	if before <= 0 {
		return time.Time{}
	}
	return time.Unix(before, 0)
}
