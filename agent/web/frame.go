package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

// frame is what all pages have.
type frame struct {
	Root    string // relative path to the first page
	Title   string
	Tabs    []tab
	Version string
	At      stamp
	Notice  string // what was just done
	Blind   string

	Reads    bool
	Changes  bool // forms are shown
	LoggedIn bool
	Token    string // for forms
	Back     string // this page, for forms

	snapshot *report.Snapshot
	now      time.Time
	titles   map[discovery.ID]string
}

// tab is a page of the first level.
type tab struct {
	Path, Name, Icon string
	Count            int
	Here             bool
}

// bareFrame is that of a page which shows nothing of the home.
func bareFrame(r *http.Request, title string) frame {
	root := "./"
	if strings.HasPrefix(r.URL.Path, "/device/") || strings.HasPrefix(r.URL.Path, "/api/") {
		root = "../"
	}
	return frame{Root: root, Title: title}
}

// frame makes what surrounds a page; here is the path of its tab.
func (p *Page) frame(r *http.Request, v visitor, here, title string) frame {
	f := bareFrame(r, title)
	s := p.opt.Snapshot()
	f.snapshot, f.now, f.titles = s, p.now(), map[discovery.ID]string{}
	for _, d := range s.Devices {
		f.titles[d.ID] = titleOf(d)
	}
	f.Version, f.At, f.Blind = fact.Clean(s.Version, maxInfo), f.stamp(s.At), fact.Clean(s.Blind, 1000)
	f.Reads, f.Changes, f.LoggedIn = v.reads, v.changes, v.session != ""
	f.Token, f.Back, f.Notice = p.sessions.token(v), hereOf(r), notice(r.URL.Query().Get("done"))
	if !v.reads {
		f.Version, f.Blind, f.snapshot = "", "", &report.Snapshot{}
		return f
	}
	sum := summarise(s)
	f.Tabs = []tab{
		{"", "Overview", "home", 0, false}, {"todo", "To do", "todo", sum.problems, false}, {"devices", "Devices", "devices", len(s.Devices), false},
		{"unchecked", "Not checked", "question", sum.unchecked, false}, {"health", "Health", "health", sum.ailing, false},
	}
	for i := range f.Tabs {
		f.Tabs[i].Here = f.Tabs[i].Path == here && title != "Not done"
	}
	return f
}

// notice says what was done, as "done" of a query names it.
func notice(query string) string {
	action, value, _ := strings.Cut(query, ".")
	return done(action, value)
}

// hereOf is the page that was asked for, as "back" names it.
func hereOf(r *http.Request) string {
	q := r.URL.Query()
	q.Del("done")
	back := strings.TrimPrefix(r.URL.Path, "/")
	if len(q) > 0 {
		back += "?" + q.Encode()
	}
	if !place.MatchString(back) {
		return ""
	}
	return back
}

// Link returns the address of a page of ours with one value of its query set.
func (f frame) Link(key, value string) string {
	page, query, _ := strings.Cut(f.Back, "?")
	q, _ := url.ParseQuery(query)
	if value == "" {
		q.Del(key)
	} else {
		q.Set(key, value)
	}
	if len(q) > 0 {
		page += "?" + q.Encode()
	}
	return f.Root + page
}

// summary are the numbers that stand at the tabs.
type summary struct {
	problems, unchecked, ailing int
}

func summarise(s *report.Snapshot) (n summary) {
	for _, d := range s.Devices {
		for _, f := range d.Findings {
			if f.Actionable() {
				n.problems++
			}
		}
		n.unchecked += len(d.NotChecked)
	}
	for _, c := range s.Health {
		if c.Status != discovery.OK {
			n.ailing++
		}
	}
	return n
}

// stamp is a moment, to be shown as how long ago it was.
type stamp struct{ ISO, Full, Ago string }

func (f frame) stamp(t time.Time) stamp {
	if t.IsZero() {
		return stamp{Ago: "not yet"}
	}
	return stamp{t.UTC().Format(time.RFC3339), moment(t), ago(t, f.now)}
}

// deviceRef names a device in a list.
type deviceRef struct {
	ID, Title, Icon, Addr string
}

func (f frame) ref(d report.Device) deviceRef {
	return deviceRef{string(d.ID), f.titles[d.ID], iconOf(d), address(d)}
}

// byTitle orders devices for people.
func (f frame) byTitle(a, b report.Device) int {
	return cmp.Or(cmp.Compare(strings.ToLower(f.titles[a.ID]), strings.ToLower(f.titles[b.ID])), cmp.Compare(a.ID, b.ID))
}

// finding is a problem of a device as it is shown.
type finding struct {
	Policy, Title, Severity, Due, Remark string
	Likely, Accepted                     bool
	Unfold                               bool // with its steps at once
	Summary, Evidence                    string
	Proof                                string // as it came over the network
	Differs                              bool   // what to do is not as for the other devices of a list
	Since                                stamp
	Steps, Refs                          []string
	Device                               deviceRef
	severity                             policy.Severity
}

func (f frame) finding(d report.Device, x policy.Finding) finding {
	p := x.Policy
	v := finding{
		Policy: fact.Clean(p.ID, maxInfo), Title: fact.Clean(p.Title, 200), Severity: x.Severity.String(), Due: due(x.Severity), Remark: remark(x),
		Likely: x.Confidence() == policy.Likely, Accepted: x.Status == policy.Accepted, severity: x.Severity,
		Summary: fact.Clean(x.Summary(), 2000), Evidence: fact.Clean(report.Evidence(x), maxText), Proof: report.Proof(x), Steps: steps(x.Remedy()), Since: f.stamp(x.Since), Device: f.ref(d),
	}
	for _, r := range p.Refs {
		v.Refs = append(v.Refs, fact.Clean(r, maxInfo))
	}
	return v
}

// findings returns those of all devices that a test fits, worst first.
func (f frame) findings(fits func(policy.Finding) bool) (out []finding) {
	for _, d := range f.snapshot.Devices {
		for _, x := range d.Findings {
			if fits(x) {
				out = append(out, f.finding(d, x))
			}
		}
	}
	slices.SortStableFunc(out, worstFirst)
	return out
}

func worstFirst(a, b finding) int {
	sure := func(f finding) int {
		if f.Likely {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(b.severity, a.severity), cmp.Compare(sure(a), sure(b)), cmp.Compare(a.Title, b.Title),
		cmp.Compare(strings.ToLower(a.Device.Title), strings.ToLower(b.Device.Title)))
}

// gauge is a score with its grade, for its colour. Nothing with an accepted risk is
// "good".
type gauge struct {
	Text, Grade string
	Part        string // of the ring, in hundredths
	Accepted    int
	Why         string // how it came about
}

func gaugeOf[N int | float64](score *N, worst policy.Severity, accepted int) gauge {
	if score == nil {
		return gauge{Text: "–", Grade: "none", Part: "0", Accepted: accepted}
	}
	g := gauge{Text: fmt.Sprint(*score), Part: fmt.Sprint(*score), Accepted: accepted}
	switch {
	case worst >= policy.High:
		g.Grade = "poor"
	case worst == policy.Medium, worst == policy.Low, accepted > 0:
		g.Grade = "fair"
	default:
		g.Grade = "good"
	}
	return g
}

// gauge returns a device's score.
func deviceGauge(d report.Device) gauge {
	worst, accepted := policy.Severity(0), 0
	n := map[policy.Severity]int{}
	for _, f := range d.Findings {
		if f.Problem() {
			worst = max(worst, f.Severity)
			n[f.Severity]++
		}
		if f.Status == policy.Accepted {
			accepted++
		}
	}
	if worst == policy.Info {
		worst = 0
	}
	g := gaugeOf(d.Score(), worst, accepted)
	g.Why = why(n, accepted)
	return g
}

// why explains a device's score: 100 less the points of what is open.
func why(n map[policy.Severity]int, accepted int) string {
	var parts []string
	for sev := policy.Critical; sev > policy.Info; sev-- {
		if n[sev] > 0 {
			parts = append(parts, fmt.Sprintf("%d for %s", n[sev]*report.Cost(sev), count(n[sev], sev.String())))
		}
	}
	text := "100: nothing to fix was found in what was checked."
	if len(parts) > 0 {
		text = "100 less " + strings.Join(parts, ", ") + ", and never below 0."
	}
	if accepted > 0 {
		text += " What you accepted costs no points."
	}
	return text
}

// form is what a form about a device, and perhaps a policy, needs.
type form struct {
	Root, Token, Back, Device, Policy, Until string
}

// Form makes the form that stands beside a device or a finding.
func (f frame) Form(device, policy string) form {
	return form{f.Root, f.Token, f.Back, device, policy, f.inThreeMonths()}
}

// inThreeMonths is the date until which an acceptance lasts if nothing else is chosen.
func (f frame) inThreeMonths() string { return f.now.Local().AddDate(0, 3, 0).Format(time.DateOnly) }

// Named is true where a finding is shown with its device's name.
type listFrame struct {
	frame
	Named bool
}

// List is findings with the frame around them, for a template.
func (f frame) List(list []finding, named bool) any {
	return struct {
		Frame listFrame
		List  []finding
	}{listFrame{f, named}, list}
}

// With is a finding or problem with the frame around it, for a template.
func (f frame) With(x any) any {
	var v struct {
		Frame   frame
		Problem problem
		Finding finding
	}
	v.Frame = f
	switch x := x.(type) {
	case problem:
		v.Problem = x
	case finding:
		v.Finding = x
	}
	return v
}
