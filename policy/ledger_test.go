package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

const day = 24 * time.Hour

// ledgerSet has the policies "p", which opens at once, and "slow", which
// settles for 15 minutes.
func ledgerSet() *Set {
	s := &Set{byID: map[string]*rule{}}
	for _, p := range []*Policy{{ID: "other"}, {ID: "p"}, {ID: "slow", Settle: 15 * time.Minute}} {
		r := &rule{policy: p}
		s.rules, s.byID[p.ID] = append(s.rules, r), r
	}
	return s
}

func entry(word string, v any) fact.Entry {
	return fact.Entry{Name: word, Value: v, Proof: "seen", By: "test", At: noon}
}

// verdictOf reads "fail:high", "fail:high:a,b" (items of mdns.services), "pass",
// "unknown", "na" or "na?" (its `when` is unknown); "~" before it makes it rest on
// a word from before a restart.
func verdictOf(p *Policy, text string) Verdict {
	if plain, ok := strings.CutPrefix(text, "~"); ok {
		v := verdictOf(p, plain)
		before := entry("device.ip_reachable", true)
		before.Why = fact.Restored
		v.Proof = append(v.Proof, before)
		return v
	}
	parts := strings.Split(text, ":")
	v := Verdict{Policy: p}
	switch parts[0] {
	case "fail":
		v.Result = Fail
		v.Severity, _ = ParseSeverity(parts[1])
		v.Proof = []fact.Entry{entry("telnet.open", true)}
		if len(parts) > 2 {
			v.Proof = append(v.Proof, entry("mdns.services", strings.Split(parts[2], ",")))
		}
	case "pass":
		v.Result = Pass
	case "unknown":
		v.Result, v.Missing = Unknown, []Missing{{"telnet.open", fact.NoAnswer}}
	case "na":
		v.Result = NotApplicable
	case "na?":
		v.Result, v.Missing = NotApplicable, []Missing{{"device.ip_reachable", fact.NotProbed}}
	default:
		panic(text)
	}
	return v
}

// memory are acceptances by "device/policy".
type memory map[string]Acceptance

func (m memory) Acceptance(device, policy string) (Acceptance, bool) {
	a, ok := m[device+"/"+policy]
	a.Items = slices.Clone(a.Items)
	return a, ok
}

func (m memory) SetAcceptance(device, policy string, a Acceptance) { m[device+"/"+policy] = a }

func (m memory) EndAcceptance(device, policy string) { delete(m, device+"/"+policy) }

// A move is something that happens at a time after noon, and what follows.
type move struct {
	at   time.Duration
	do   string // a verdict, or: accept, accept DURATION, unaccept, restart
	away bool
	want string // "status severity since" of the finding, then its events; "-" for none
	// again is when it changes by itself, after noon; 0: never.
	again time.Duration
}

func TestLifeOfAFinding(t *testing.T) {
	const minute = time.Minute
	for _, tt := range []struct {
		name, policy string
		moves        []move
	}{
		{"opens and resolves", "p", []move{
			{0, "pass", false, "-", 0},
			{minute, "fail:high", false, "open high 1m finding_opened", 0},
			{2 * minute, "fail:high", false, "open high 1m", 0},
			{3 * minute, "pass", false, "resolved high 1m finding_resolved", 3*minute + 30*day},
			{4 * minute, "pass", false, "resolved high 1m", 3*minute + 30*day},
			{5 * minute, "fail:low", false, "open low 5m finding_opened", 0},
			{6 * minute, "pass", false, "resolved low 5m finding_resolved", 6*minute + 30*day},
			{6*minute + 30*day - 1, "pass", false, "resolved low 5m", 6*minute + 30*day},
			{6*minute + 30*day, "pass", false, "-", 0},
			{40 * day, "fail:low", false, "open low 960h finding_opened", 0},
		}},
		{"not applicable is well", "p", []move{
			{0, "fail:high", false, "open high 0s finding_opened", 0},
			{minute, "na", false, "resolved high 0s finding_resolved", minute + 30*day},
		}},
		{"not applicable for want of evidence is not", "p", []move{
			{0, "na?", false, "-", 0},
			{minute, "fail:high", false, "open high 1m finding_opened", 0},
			{2 * minute, "na?", false, "stale high 1m", 2*minute + 7*day},
			{3 * minute, "fail:high", false, "open high 1m", 0},
		}},
		{"worsens and gets milder", "p", []move{
			{0, "fail:low", false, "open low 0s finding_opened", 0},
			{minute, "fail:high", false, "open high 0s finding_worsened", 0},
			{2 * minute, "fail:medium", false, "open medium 0s", 0},
			{3 * minute, "fail:high", false, "open high 0s finding_worsened", 0},
		}},
		{"settles", "slow", []move{
			{0, "fail:medium", false, "-", 15 * minute},
			{5 * minute, "fail:medium", false, "-", 15 * minute},
			{15 * minute, "fail:medium", false, "open medium 0s finding_opened", 0},
			{16 * minute, "pass", false, "resolved medium 0s finding_resolved", 16*minute + 30*day},
			{17 * minute, "fail:medium", false, "resolved medium 0s", 32 * minute},
			{32 * minute, "fail:medium", false, "open medium 17m finding_opened", 0},
		}},
		{"a pass or not knowing starts settling anew", "slow", []move{
			{0, "fail:medium", false, "-", 15 * minute},
			{14 * minute, "pass", false, "-", 0},
			{15 * minute, "fail:medium", false, "-", 30 * minute},
			{16 * minute, "unknown", false, "-", 0},
			{17 * minute, "fail:medium", false, "-", 32 * minute},
			{32 * minute, "fail:medium", false, "open medium 17m finding_opened", 0},
		}},
		{"a restart keeps nothing from lapsing", "p", []move{
			{0, "fail:high", false, "open high 0s finding_opened", 0},
			{minute, "unknown", false, "stale high 0s", minute + 7*day},
			{2 * minute, "~unknown", false, "stale high 0s", minute + 7*day},
			{8 * day, "~unknown", false, "unknown high 0s", 0},
		}},
		{"what was told before a restart is no news", "p", []move{
			{0, "~fail:high", false, "-", 0},
			{minute, "fail:high", false, "open high 1m finding_opened", 0},
			{2 * minute, "~pass", false, "open high 1m", 0},
			{3 * minute, "~unknown", true, "open high 1m", 0},
			{4 * minute, "~na", false, "open high 1m", 0},
			{5 * minute, "~fail:critical", false, "open high 1m", 0},
			{6 * minute, "pass", false, "resolved high 1m finding_resolved", 6*minute + 30*day},
			{7 * minute, "~fail:high", false, "resolved high 1m", 6*minute + 30*day},
		}},
		{"decisions hold after a restart", "p", []move{
			{0, "fail:high", false, "open high 0s finding_opened", 0},
			{minute, "accept 1h", false, "accepted high 0s finding_accepted", 61 * minute},
			{2 * minute, "~unknown", false, "accepted high 0s", 61 * minute},
			{61 * minute, "~fail:high", false, "open high 0s finding_expired", 0},
		}},
		{"settled already when stale", "slow", []move{
			{0, "fail:medium", false, "-", 15 * minute},
			{15 * minute, "fail:medium", false, "open medium 0s finding_opened", 0},
			{16 * minute, "unknown", false, "stale medium 0s", 16*minute + 7*day},
			{17 * minute, "fail:medium", false, "open medium 0s", 0},
		}},
		{"stale, then lapsed, then open again", "p", []move{
			{0, "unknown", false, "-", 0},
			{minute, "fail:high", false, "open high 1m finding_opened", 0},
			{2 * minute, "unknown", false, "stale high 1m", 2*minute + 7*day},
			{2*minute + 7*day - 1, "unknown", false, "stale high 1m", 2*minute + 7*day},
			{2*minute + 7*day, "unknown", false, "unknown high 1m", 0},
			{60 * day, "unknown", false, "unknown high 1m", 0},
			{61 * day, "fail:high", false, "open high 1464h finding_opened", 0},
		}},
		{"lapsed, then well", "p", []move{
			{0, "fail:high", false, "open high 0s finding_opened", 0},
			{day, "unknown", false, "stale high 0s", 8 * day},
			{9 * day, "unknown", false, "unknown high 0s", 0},
			{10 * day, "pass", false, "resolved high 0s finding_resolved", 40 * day},
		}},
		{"worse after it was stale", "p", []move{
			{0, "fail:low", false, "open low 0s finding_opened", 0},
			{minute, "unknown", false, "stale low 0s", minute + 7*day},
			{2 * minute, "fail:high", false, "open high 0s finding_worsened", 0},
		}},
		{"away, for however long", "p", []move{
			{0, "fail:high", false, "open high 0s finding_opened", 0},
			{minute, "fail:high", true, "device_away high 0s", 0},
			{2 * minute, "unknown", true, "device_away high 0s", 0},
			{3 * minute, "na", true, "device_away high 0s", 0},
			{60 * day, "na?", true, "device_away high 0s", 0},
			{61 * day, "unknown", false, "stale high 0s", 68 * day},
			{62 * day, "unknown", true, "device_away high 0s", 0},
			{63 * day, "fail:high", false, "open high 0s", 0},
		}},
		{"well while away", "p", []move{
			{0, "fail:high", false, "open high 0s finding_opened", 0},
			{minute, "pass", true, "resolved high 0s finding_resolved", minute + 30*day},
			{2 * minute, "fail:high", true, "device_away high 2m finding_opened", 0},
		}},
		{"accepted for ever", "p", []move{
			{0, "fail:high", false, "open high 0s finding_opened", 0},
			{minute, "accept", false, "accepted high 0s finding_accepted", 0},
			{2 * minute, "fail:high", false, "accepted high 0s", 0},
			{3 * minute, "unknown", false, "accepted high 0s", 0},
			{30 * day, "na?", true, "accepted high 0s", 0},
			{60 * day, "fail:medium", true, "accepted medium 0s", 0},
			{61 * day, "fail:high", false, "accepted high 0s", 0},
			{62 * day, "pass", false, "resolved high 0s finding_resolved", 92 * day},
			{63 * day, "fail:high", false, "accepted high 1512h finding_accepted", 0},
		}},
		{"accepted until a date", "p", []move{
			{0, "fail:high", false, "open high 0s finding_opened", 0},
			{minute, "accept 24h", false, "accepted high 0s finding_accepted", minute + day},
			{2 * minute, "fail:high", false, "accepted high 0s", minute + day},
			{minute + day - 1, "fail:high", false, "accepted high 0s", minute + day},
			{minute + day, "fail:high", false, "open high 0s finding_expired", 0},
			{2 * day, "fail:high", false, "open high 0s", 0},
		}},
		{"accepted until a date, unknown by then", "p", []move{
			{0, "fail:high", false, "open high 0s finding_opened", 0},
			{minute, "accept 24h", false, "accepted high 0s finding_accepted", minute + day},
			{2 * day, "unknown", false, "stale high 0s finding_expired", 9 * day},
			{9 * day, "unknown", false, "unknown high 0s", 0},
		}},
		{"accepted until a date, away by then", "p", []move{
			{0, "fail:high", false, "open high 0s finding_opened", 0},
			{minute, "accept 24h", false, "accepted high 0s finding_accepted", minute + day},
			{2 * day, "unknown", true, "device_away high 0s finding_expired", 0},
		}},
		{"accepted until it is worse", "p", []move{
			{0, "fail:low", false, "open low 0s finding_opened", 0},
			{minute, "accept", false, "accepted low 0s finding_accepted", 0},
			{2 * minute, "fail:medium", false, "open medium 0s finding_expired", 0},
			{3 * minute, "fail:low", false, "open low 0s", 0},
		}},
		{"accepted until there is more of it", "p", []move{
			{0, "fail:low:_a,_b", false, "open low 0s finding_opened", 0},
			{minute, "accept", false, "accepted low 0s finding_accepted", 0},
			{2 * minute, "fail:low:_b", false, "accepted low 0s", 0},
			{3 * minute, "fail:low:_b,_a", false, "accepted low 0s", 0},
			{4 * minute, "fail:low:_a,_c", false, "open low 0s finding_expired", 0},
		}},
		{"accepted before there is a finding", "p", []move{
			{0, "accept", false, "-", 0},
			{minute, "fail:medium", false, "accepted medium 1m finding_accepted", 0},
			{2 * minute, "fail:high", false, "open high 1m finding_expired", 0},
		}},
		{"accepted before, over when it fails", "p", []move{
			{0, "accept 1h", false, "-", 0},
			{2 * time.Hour, "fail:medium", false, "open medium 2h finding_opened", 0},
		}},
		{"accepted while it settles", "slow", []move{
			{0, "fail:medium", false, "-", 15 * minute},
			{minute, "accept", false, "-", 0},
			{15 * minute, "fail:medium", false, "accepted medium 0s finding_accepted", 0},
		}},
		{"accepted while resolved", "p", []move{
			{0, "fail:low", false, "open low 0s finding_opened", 0},
			{minute, "pass", false, "resolved low 0s finding_resolved", minute + 30*day},
			{2 * minute, "accept", false, "resolved low 0s", 0},
			{3 * minute, "fail:high", false, "accepted high 3m finding_accepted", 0},
		}},
		{"accepted while stale and while lapsed", "p", []move{
			{0, "fail:low", false, "open low 0s finding_opened", 0},
			{minute, "unknown", false, "stale low 0s", minute + 7*day},
			{2 * minute, "accept 240h", false, "accepted low 0s finding_accepted", 2*minute + 10*day},
			{9 * day, "unknown", false, "accepted low 0s", 2*minute + 10*day},
			{11 * day, "unknown", false, "stale low 0s finding_expired", 18 * day},
			{19 * day, "unknown", false, "unknown low 0s", 0},
			{20 * day, "accept", false, "accepted low 0s finding_accepted", 0},
		}},
		{"accepted again with another date", "p", []move{
			{0, "fail:low", false, "open low 0s finding_opened", 0},
			{minute, "accept 1h", false, "accepted low 0s finding_accepted", minute + time.Hour},
			{2 * minute, "accept 48h", false, "accepted low 0s finding_accepted", 2*minute + 2*day},
			{day, "fail:low", false, "accepted low 0s", 2*minute + 2*day},
		}},
		{"taken back", "p", []move{
			{0, "fail:low", false, "open low 0s finding_opened", 0},
			{minute, "accept", false, "accepted low 0s finding_accepted", 0},
			{2 * minute, "unaccept", false, "open low 0s finding_expired", 0},
			{3 * minute, "fail:low", false, "open low 0s", 0},
		}},
		{"taken back before it fails", "p", []move{
			{0, "accept", false, "-", 0},
			{minute, "unaccept", false, "-", 0},
			{2 * minute, "fail:low", false, "open low 2m finding_opened", 0},
		}},
		{"information is no news", "p", []move{
			{0, "fail:info", false, "open info 0s", 0},
			{minute, "unknown", false, "stale info 0s", minute + 7*day},
			{2 * minute, "accept", false, "accepted info 0s", 0},
			{3 * minute, "unaccept", false, "open info 0s", 0},
			{4 * minute, "pass", false, "resolved info 0s", 4*minute + 30*day},
			{5 * minute, "fail:info", true, "device_away info 5m", 0},
		}},
		{"information settles too", "slow", []move{
			{0, "fail:info", false, "-", 15 * minute},
			{15 * minute, "fail:info", false, "open info 0s", 0},
		}},
		{"opens when it rises from information", "p", []move{
			{0, "fail:info", false, "open info 0s", 0},
			{minute, "fail:low", false, "open low 0s finding_opened", 0},
			{2 * minute, "fail:high", false, "open high 0s finding_worsened", 0},
		}},
		{"is over when it falls to information", "p", []move{
			{0, "fail:high", false, "open high 0s finding_opened", 0},
			{minute, "fail:info", false, "open info 0s finding_resolved", 0},
			{2 * minute, "fail:info", false, "open info 0s", 0},
			{3 * minute, "fail:low", true, "device_away low 0s finding_opened", 0},
			{4 * minute, "pass", false, "resolved low 0s finding_resolved", 4*minute + 30*day},
			{5 * minute, "fail:info", false, "open info 5m", 0},
			{6 * minute, "fail:high", false, "open high 5m finding_opened", 0},
		}},
		{"lapsed, then only information", "p", []move{
			{0, "fail:high", false, "open high 0s finding_opened", 0},
			{day, "unknown", false, "stale high 0s", 8 * day},
			{9 * day, "unknown", false, "unknown high 0s", 0},
			{10 * day, "fail:info", false, "open info 240h finding_resolved", 0},
		}},
		{"accepted as information until it is worse", "p", []move{
			{0, "fail:info", false, "open info 0s", 0},
			{minute, "accept", false, "accepted info 0s", 0},
			{2 * minute, "fail:medium", false, "open medium 0s finding_expired", 0},
		}},
		{"accepted, then only information", "p", []move{
			{0, "fail:low", false, "open low 0s finding_opened", 0},
			{minute, "accept 24h", false, "accepted low 0s finding_accepted", minute + day},
			{2 * minute, "fail:info", false, "accepted info 0s finding_resolved", minute + day},
			{2 * day, "fail:info", false, "open info 0s", 0},
		}},
		{"an acceptance lost without the ledger", "p", []move{
			{0, "fail:low", false, "open low 0s finding_opened", 0},
			{minute, "accept", false, "accepted low 0s finding_accepted", 0},
			{2 * minute, "lose acceptance", false, "accepted low 0s", 0},
			{3 * minute, "fail:low", false, "open low 0s finding_expired", 0},
		}},
		{"an acceptance made without the ledger", "p", []move{
			{0, "fail:low", false, "open low 0s finding_opened", 0},
			{minute, "find acceptance", false, "open low 0s", 0},
			{2 * minute, "unknown", false, "accepted low 0s finding_accepted", 0},
		}},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/restart=%v", tt.name, restart), func(t *testing.T) {
				l := NewLedger(ledgerSet(), memory{})
				p := l.set.Policy(tt.policy)
				for i, m := range tt.moves {
					if restart {
						l = reborn(t, l)
					}
					got, again := l.play(t, p, m)
					if got != m.want {
						t.Errorf("move %d, %s: %q, want %q", i, m.do, got, m.want)
					}
					want := time.Time{}
					if m.again != 0 {
						want = noon.Add(m.again)
					}
					if !again.Equal(want) && !strings.Contains(m.do, "accept") {
						t.Errorf("move %d, %s: again %v, want %v", i, m.do, again.Sub(noon), m.again)
					}
				}
			})
		}
	}
}

// play makes a move and describes what follows.
func (l *Ledger) play(t *testing.T, p *Policy, m move) (string, time.Time) {
	t.Helper()
	now := noon.Add(m.at)
	var changes []Change
	var again time.Time
	var err error
	verb, arg, _ := strings.Cut(m.do, " ")
	switch verb {
	case "accept":
		a := Acceptance{Reason: "known", At: now}
		if arg != "" {
			d, err := time.ParseDuration(arg)
			if err != nil {
				t.Fatal(err)
			}
			a.Until = now.Add(d)
		}
		changes, err = l.Accept("d", p.ID, a)
	case "unaccept":
		changes, err = l.Unaccept("d", p.ID, now)
	case "lose":
		clear(l.accepted.(memory))
	case "find":
		l.accepted.(memory)["d/"+p.ID] = Acceptance{At: now}
	default:
		changes, again = l.Update("d", []Verdict{verdictOf(p, m.do)}, m.away, now)
	}
	if err != nil {
		t.Fatal(err)
	}
	out := "-"
	for _, f := range l.Findings("d") {
		out = fmt.Sprintf("%s %s %s", f.Status, f.Severity, spell(f.Since.Sub(noon)))
		if (f.Status == Stale || f.Status == Lapsed) != (f.Missing != nil) {
			t.Errorf("%s with missing %v", f.Status, f.Missing)
		}
		if f.Status == Accepted && f.Acceptance == nil && verb != "lose" {
			t.Error("accepted without an acceptance")
		}
		if f.Changed.After(now) || f.Changed.Before(noon) {
			t.Errorf("changed at %v", f.Changed)
		}
	}
	for _, c := range changes {
		if c.Policy != p.ID {
			t.Errorf("change of %q", c.Policy)
		}
		out += " " + string(c.Type)
	}
	return out, again
}

func spell(d time.Duration) string {
	s := d.String()
	if d >= time.Minute {
		s = strings.TrimSuffix(s, "0s")
	}
	if d >= time.Hour {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// reborn is the ledger after its state and the acceptances went through files.
func reborn(t *testing.T, l *Ledger) *Ledger {
	t.Helper()
	var state LedgerState
	var accepted memory
	through(t, l.Snapshot(), &state)
	through(t, l.accepted, &accepted)
	out := NewLedger(l.set, accepted)
	out.Restore(state)
	if d := cmp.Diff(l.Snapshot(), out.Snapshot()); d != "" {
		t.Fatalf("after a restart:\n%s", d)
	}
	return out
}

func through(t *testing.T, from, to any) {
	t.Helper()
	b, err := json.Marshal(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, to); err != nil {
		t.Fatal(err)
	}
}

func TestFindingsAreSortedCopies(t *testing.T) {
	l := NewLedger(ledgerSet(), memory{})
	var vs []Verdict
	for id, text := range map[string]string{"other": "fail:medium", "p": "fail:high:_a", "slow": "fail:medium"} {
		vs = append(vs, verdictOf(l.set.Policy(id), text))
	}
	l.Update("d", vs, false, noon)
	l.Update("d", vs, false, noon.Add(time.Hour))
	if _, err := l.Accept("d", "p", Acceptance{At: noon}); err != nil {
		t.Fatal(err)
	}
	ids := func() (out []string) {
		for _, f := range l.Findings("d") {
			out = append(out, f.Policy.ID)
		}
		return out
	}
	if d := cmp.Diff([]string{"p", "other", "slow"}, ids()); d != "" {
		t.Error(d)
	}
	f := l.Findings("d")[0]
	f.Proof[0].Value, f.Acceptance.Reason, f.Acceptance.Items[0] = "changed", "changed", "changed"
	if again := l.Findings("d")[0]; again.Proof[0].Value != true || again.Acceptance.Reason != "" || again.Acceptance.Items[0] != "mdns.services=_a" {
		t.Errorf("a finding shares with the ledger: %+v, %+v", again, again.Acceptance)
	}
	if got := l.Findings("nobody"); got != nil {
		t.Errorf("findings of an unknown device: %v", got)
	}
}

func TestDecisionsRefused(t *testing.T) {
	l := NewLedger(ledgerSet(), memory{})
	for _, tt := range []struct {
		name string
		do   func() error
		want string
	}{
		{"accept an unknown policy", func() error { _, err := l.Accept("d", "slo", Acceptance{At: noon}); return err }, `unknown policy "slo": did you mean "slow"?`},
		{"accept at no time", func() error { _, err := l.Accept("d", "p", Acceptance{}); return err }, "accepting a finding: it is not said when"},
		{"accept until now", func() error { _, err := l.Accept("d", "p", Acceptance{At: noon, Until: noon}); return err }, "accepting a finding until 2026-11-23T12:00:00Z: that is over"},
		{"unaccept an unknown policy", func() error { _, err := l.Unaccept("d", "x", noon); return err }, `unknown policy "x"`},
		{"unaccept what is not accepted", func() error { _, err := l.Unaccept("d", "p", noon); return err }, `"p" is not accepted on "d"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.do(); err == nil || err.Error() != tt.want {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
	if len(l.accepted.(memory)) != 0 {
		t.Errorf("a refused decision was kept: %v", l.accepted)
	}
}

func TestForgetAndRename(t *testing.T) {
	l := NewLedger(ledgerSet(), memory{})
	p, other := l.set.Policy("p"), l.set.Policy("other")
	l.Update("old", []Verdict{verdictOf(other, "fail:low"), verdictOf(p, "fail:high")}, false, noon)
	l.Update("new", []Verdict{verdictOf(p, "fail:medium")}, false, noon.Add(time.Minute))

	l.Rename("new", "new")
	l.Rename("old", "new")
	got := l.Snapshot()
	if len(got) != 1 || got["new"]["p"].Severity != Medium || got["new"]["other"].Severity != Low {
		t.Errorf("state %+v", got)
	}
	l.Forget("new")
	if len(l.Snapshot()) != 0 {
		t.Errorf("forgotten, but: %+v", l.Snapshot())
	}
}

func mustAccept(t *testing.T, l *Ledger, device, policy string, at time.Time) {
	t.Helper()
	if _, err := l.Accept(device, policy, Acceptance{At: at}); err != nil {
		t.Fatal(err)
	}
}

// A policy that is not loaded keeps its finding and decision until it is back.
func TestPolicyGoneAndBack(t *testing.T) {
	all, mem := ledgerSet(), memory{}
	l := NewLedger(all, mem)
	p := all.Policy("p")
	l.Update("d", []Verdict{verdictOf(p, "fail:high")}, false, noon)
	mustAccept(t, l, "d", "p", noon)

	less := &Set{byID: map[string]*rule{"other": all.byID["other"]}, rules: all.rules[:1]}
	gone := NewLedger(less, mem)
	gone.Restore(l.Snapshot())
	gone.Update("d", []Verdict{verdictOf(less.Policy("other"), "pass")}, false, noon.Add(90*day))
	if f := gone.Findings("d"); len(f) != 0 {
		t.Errorf("shown without its policy: %+v", f)
	}

	back := NewLedger(all, mem)
	back.Restore(gone.Snapshot())
	changes, _ := back.Update("d", []Verdict{verdictOf(p, "fail:high")}, false, noon.Add(91*day))
	if f := back.Findings("d"); len(f) != 1 || f[0].Status != Accepted || !f[0].Since.Equal(noon) || len(changes) != 0 {
		t.Errorf("findings %+v, changes %v", f, changes)
	}
}

// What a file of another version, or a damaged one, may hold.
func TestRestoreOfOtherVersions(t *testing.T) {
	var state LedgerState
	through(t, json.RawMessage(`{
		"a": {"p": {"status": "open", "severity": "high", "since": "2026-11-23T12:00:00Z", "proof": [
			{"name": "telnet.port", "value": 23, "proof": "tcp/23", "by": "telnet", "at": "2026-11-23T12:00:00Z"},
			{"name": "no.such.word", "value": true},
			{"name": "telnet.open", "value": "yes"},
			{"name": "mdns.services", "value": ["_a._tcp"]},
			{"name": "device.first_seen", "value": "2026-11-23T12:00:00Z"}]}},
		"b": {"p": {"status": "pondered", "severity": "high"}, "other": {"status": "open"}, "slow": {}},
		"c": {}
	}`), &state)
	l := NewLedger(ledgerSet(), memory{})
	l.Restore(state)
	want := LedgerState{"a": {"p": {Status: Open, Severity: High, Since: noon, Proof: []fact.Entry{
		{Name: "telnet.port", Value: int64(23), Proof: "tcp/23", By: "telnet", At: noon},
		{Name: "mdns.services", Value: []string{"_a._tcp"}},
		{Name: "device.first_seen", Value: noon},
	}}}}
	if d := cmp.Diff(want, l.Snapshot()); d != "" {
		t.Error(d)
	}
	l.Restore(nil)
	if len(l.Snapshot()) != 0 {
		t.Error("state is left after restoring none")
	}
}

// The whole way: real policies, evidence that changes, time that passes.
func TestZigbeeJoinWindowOverTime(t *testing.T) {
	s := core(t)
	l := NewLedger(s, memory{})
	evidence := func(open bool, daily int64) *fact.Evidence {
		f := map[string]any{"zigbee.role": "coordinator", "zigbee.join_open": open, "zigbee.join_open_day": daily, "zigbee.default_ids": false}
		if open {
			f["zigbee.join_open_since"] = noon
		}
		return facts(f)
	}
	var got []string
	for _, x := range []struct {
		at   time.Duration
		open bool
		day  int64
	}{{0, false, 0}, {time.Second, true, 1}, {5 * time.Minute, true, 300}, {10*time.Minute + time.Second, true, 601}, {61 * time.Minute, true, 3660}, {2 * time.Hour, false, 7000}} {
		now := noon.Add(x.at)
		vs, again := s.Evaluate(evidence(x.open, x.day), now)
		// The time matters while the network is open and not open for too long yet.
		if timed := x.open && x.at <= 10*time.Minute; timed != again.Equal(noon.Add(10*time.Minute+1)) {
			t.Errorf("at %s: again %v", x.at, again)
		}
		changes, _ := l.Update("d", vs, false, now)
		line := x.at.String()
		for _, f := range l.Findings("d") {
			line += fmt.Sprintf(" %s %s %s", f.Policy.ID, f.Status, f.Severity)
		}
		for _, c := range changes {
			line += " " + string(c.Type)
		}
		got = append(got, line)
	}
	want := []string{
		"0s",
		"1s zigbee-join-open open low finding_opened",
		"5m0s zigbee-join-open open low",
		"10m1s zigbee-join-open open medium finding_worsened",
		"1h1m0s zigbee-join-open open high finding_worsened",
		"2h0m0s zigbee-join-open resolved high finding_resolved",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
