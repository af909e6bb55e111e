package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

// frame is what all pages have.
type frame struct {
	Root    string // relative path to the first page
	Version string
	At      string
}

type home struct {
	frame
	Blind    string
	Headline string
	Score    string
	Grade    string // of the score, for its colour
	Counts   []tally
	Problems []device // with problems, worst first
	Calm     []device // the others, by name
	Open     []unchecked
	Health   []component
	Ailing   int
	LastScan string
}

// tally is how many problems there are of a severity.
type tally struct {
	N             int
	Severity, Due string
}

type device struct {
	ID, Name, What, Addrs string
	Score, Grade          string
	Tags                  []string
	Checked, NotChecked   int
	Problems              []finding
	worst                 policy.Severity
}

type finding struct {
	Title, Severity, Due, Remark string
	Likely, Unfold               bool
	Summary, Evidence, Since     string
	Remedy, Refs                 []string
}

// unchecked is a check that was not made, with the reasons, on one or more devices.
type unchecked struct {
	Title   string
	Devices string
	Why     []string
}

type component struct{ Name, Status, Condition, Error string }

type detail struct {
	frame
	device
	Others []finding // accepted, fixed, no longer known
	Open   []unchecked
	Facts  []known
	Rows   [][2]string
}

type known struct{ Doc, Name, Value, Proof, By, At string }

func frameOf(s *report.Snapshot, root string) frame {
	return frame{Root: root, Version: fact.Clean(s.Version, maxInfo), At: moment(s.At)}
}

func viewHome(s *report.Snapshot) home {
	v := home{frame: frameOf(s, "./"), Blind: fact.Clean(s.Blind, 1000), LastScan: moment(s.LastScan)}
	v.Score, v.Grade = score(s.Score())
	counts := s.Counts()
	for sev := policy.Critical; sev >= policy.Info; sev-- {
		if counts[sev] > 0 {
			v.Counts = append(v.Counts, tally{counts[sev], sev.String(), due(sev)})
		}
	}
	for _, d := range s.Devices {
		if x := viewOf(d); len(x.Problems) > 0 {
			v.Problems = append(v.Problems, x)
		} else {
			v.Calm = append(v.Calm, x)
		}
	}
	slices.SortStableFunc(v.Problems, func(a, b device) int { return cmp.Compare(b.worst, a.worst) })
	slices.SortStableFunc(v.Calm, func(a, b device) int {
		return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	v.Open = openChecks(s.Devices)
	for _, c := range s.Health {
		v.Health = append(v.Health, component{part(c.Name), fact.Clean(string(c.Status), maxInfo), condition(c.Status), fact.Clean(c.Error, maxText)})
		if c.Status != discovery.OK {
			v.Ailing++
		}
	}
	v.Headline = headline(s, counts)
	return v
}

// headline is the most important thing to know, in one sentence. What nobody
// looked at is never called well.
func headline(s *report.Snapshot, counts map[policy.Severity]int) string {
	pressing := counts[policy.Critical] + counts[policy.High]
	rest := counts[policy.Medium] + counts[policy.Low]
	switch {
	case counts[policy.Critical] > 0:
		return count(counts[policy.Critical], "thing") + " to fix now."
	case pressing == 1:
		return "1 thing wants your attention today."
	case pressing > 1:
		return fmt.Sprintf("%d things want your attention today.", pressing)
	case rest > 0:
		return "Nothing urgent. " + count(rest, "thing") + " to improve when you have time."
	case s.Blind != "":
		return "Nothing can be said about your home network yet."
	case s.Score() == nil:
		return "Nothing has been checked yet. The first results come within a minute or two."
	default:
		return "No weakness found in what was checked."
	}
}

// score writes a score and grades it for its colour.
func score[N int | float64](n *N) (text, grade string) {
	switch {
	case n == nil:
		return "–", "none"
	case *n >= 90:
		grade = "good"
	case *n >= 60:
		grade = "fair"
	default:
		grade = "poor"
	}
	return fmt.Sprint(*n), grade
}

func viewOf(d report.Device) device {
	v := device{
		ID: string(d.ID), Name: fact.Clean(d.Title, maxName),
		What: what(d.Kind, d.Class, d.Manufacturer, d.Model), Checked: d.Checked, NotChecked: len(d.NotChecked),
	}
	if d.ID == discovery.Hub {
		v.Name = "Thingwarden and your home as a whole"
	}
	var addrs []string
	for _, a := range d.Addrs()[:min(4, len(d.Addrs()))] {
		if a.Is4() || len(addrs) == 0 {
			addrs = append(addrs, a.WithZone("").String())
		}
	}
	v.Addrs = strings.Join(addrs, ", ")
	v.Score, v.Grade = score(d.Score())
	if !d.Online {
		v.Tags = append(v.Tags, "away")
	}
	if d.Provisional {
		v.Tags = append(v.Tags, "new, not confirmed yet")
	}
	for _, f := range d.Findings {
		if f.Problem() {
			v.Problems = append(v.Problems, viewFinding(f))
			v.worst = max(v.worst, f.Severity)
		}
	}
	slices.SortStableFunc(v.Problems, bySeverity)
	return v
}

func viewFinding(f policy.Finding) finding {
	p := f.Policy
	v := finding{
		Title: fact.Clean(p.Title, 200), Severity: f.Severity.String(), Due: due(f.Severity), Remark: remark(f),
		Likely: p.Confidence == policy.Likely, Unfold: f.Status == policy.Open && f.Severity >= policy.High,
		Summary: fact.Clean(p.Summary, 2000), Evidence: report.Evidence(f), Remedy: paragraphs(p.Remedy),
	}
	if !f.Since.IsZero() {
		v.Since = day(f.Since)
	}
	for _, r := range p.Refs {
		v.Refs = append(v.Refs, fact.Clean(r, maxInfo))
	}
	return v
}

func bySeverity(a, b finding) int {
	return cmp.Compare(rank(b.Severity), rank(a.Severity))
}

func rank(name string) policy.Severity {
	s, _ := policy.ParseSeverity(name)
	return s
}

// openChecks gathers, over devices, what was not checked and why.
func openChecks(devices []report.Device) []unchecked {
	type gathered struct {
		title   string
		devices int
		why     map[string]bool
	}
	by := map[string]*gathered{}
	for _, d := range devices {
		for _, n := range d.NotChecked {
			g := by[n.Policy.ID]
			if g == nil {
				g = &gathered{title: fact.Clean(n.Policy.Title, 200), why: map[string]bool{}}
				by[n.Policy.ID] = g
			}
			g.devices++
			for _, m := range n.Missing {
				g.why[m.Why.Plain()] = true
			}
		}
	}
	var out []unchecked
	for _, g := range by {
		u := unchecked{Title: g.title, Devices: count(g.devices, "device")}
		for why := range g.why {
			u.Why = append(u.Why, why)
		}
		slices.Sort(u.Why)
		out = append(out, u)
	}
	slices.SortFunc(out, func(a, b unchecked) int {
		return cmp.Or(cmp.Compare(a.Title, b.Title), cmp.Compare(a.Devices, b.Devices))
	})
	return out
}

func viewDevice(s *report.Snapshot, d report.Device) detail {
	v := detail{frame: frameOf(s, "../"), device: viewOf(d)}
	for _, f := range d.Findings {
		if !f.Problem() {
			v.Others = append(v.Others, viewFinding(f))
		}
	}
	for _, n := range d.NotChecked {
		u := unchecked{Title: fact.Clean(n.Policy.Title, 200)}
		for _, m := range n.Missing {
			u.Why = append(u.Why, "“"+wordDoc(m.Word)+"”: "+m.Why.Plain())
		}
		v.Open = append(v.Open, u)
	}
	for _, e := range d.Facts {
		k := known{Doc: wordDoc(e.Name), Name: e.Name, Proof: fact.Clean(e.Proof, maxText), By: fact.Clean(e.By, maxInfo), At: moment(e.At)}
		switch {
		case !e.Known():
			k.Value = "not known: " + e.Why.Plain()
		case e.Why == fact.Restored:
			k.Value = value(e.Value) + " (" + e.Why.Plain() + ")"
		default:
			k.Value = value(e.Value)
		}
		v.Facts = append(v.Facts, k)
	}
	v.Rows = rows(d)
	return v
}

// rows are what identifies a device.
func rows(d report.Device) [][2]string {
	var addrs, services []string
	for _, a := range d.Addrs() {
		addrs = append(addrs, a.WithZone("").String())
	}
	for _, x := range d.Services {
		services = append(services, strings.TrimSpace(fmt.Sprintf("%s/%d %s", fact.Clean(x.Proto, 8), x.Port, fact.Clean(x.Name, maxName))))
	}
	all := [][2]string{
		{"Addresses", strings.Join(addrs, ", ")},
		{"Hardware address", strings.Join(d.MACs(), ", ")},
		{"Firmware", fact.Clean(d.Firmware, maxInfo)},
		{"Hardware", fact.Clean(d.Hardware, maxInfo)},
		{"Offers", strings.Join(services[:min(40, len(services))], ", ")},
		{"Seen by", strings.Join(d.Sources, ", ")},
		{"Known since", moment(d.FirstSeen)},
		{"Sent to it", fmt.Sprintf("%s, %s", count(d.Sent.Packets, "packet"), count(d.Sent.Connections, "connection"))},
		{"Thingwarden's id", string(d.ID)},
	}
	return slices.DeleteFunc(all, func(r [2]string) bool { return r[1] == "" })
}

// wordDoc is what a word of the vocabulary means, without the full stop.
func wordDoc(name string) string {
	if w := fact.Lookup(name); w != nil {
		return strings.TrimSuffix(w.Doc, ".")
	}
	return fact.Clean(name, maxInfo)
}
