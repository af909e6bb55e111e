package policy

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// facts makes evidence: a nil value is a word looked for in vain, a fact.Why one
// with that reason.
func facts(values map[string]any, finished ...string) *fact.Evidence {
	ev := fact.New("test", noon)
	for name, v := range values {
		switch x := v.(type) {
		case nil:
			ev.MarkUnknown(name, fact.NoAnswer)
		case fact.Why:
			ev.MarkUnknown(name, x)
		default:
			if !ev.Put(fact.Entry{Name: name, Value: v, Proof: "seen", By: "test", At: noon}) {
				panic("no such fact: " + name)
			}
		}
	}
	for _, by := range finished {
		ev.Finish(by)
	}
	return ev
}

// single compiles one policy from its expressions, without running examples.
func single(t testing.TB, lines string) *Set {
	t.Helper()
	c, err := newCompiler()
	if err != nil {
		t.Fatal(err)
	}
	for key, line := range map[string]string{"severity": "severity: low", "when": "when: true"} {
		if !strings.Contains(lines, key+":") {
			lines += "\n" + line
		}
	}
	text := "id: x\ntitle: X\nconfidence: sure\nrules: []\nsummary: X.\nremedy: X.\nrefs: [X]\nexamples: []\n" + lines
	p := newParser("p", "p/x.yaml", []byte(text))
	p.policy(p.document([]byte(text)))
	p.compile(c)
	if len(p.all) > 0 {
		t.Fatal(p.errors())
	}
	return newSet(c, map[string]*rule{"x": p.rule})
}

type verdict struct {
	Result   Result
	Severity Severity
	Missing  string
	Proof    string
	Err      bool
}

func short(v Verdict) verdict {
	out := verdict{Result: v.Result, Severity: v.Severity, Err: v.Err != ""}
	for _, m := range v.Missing {
		out.Missing += fmt.Sprintf("%s=%s ", m.Word, m.Why)
	}
	for _, n := range v.Proof {
		out.Proof += fmt.Sprintf("%s=%v ", n.Name, n.Value)
	}
	out.Missing, out.Proof = strings.TrimSpace(out.Missing), strings.TrimSpace(out.Proof)
	return out
}

func TestThreeValues(t *testing.T) {
	const a, b = "telnet.open", "http.open"
	for _, tt := range []struct {
		name, policy string
		facts        map[string]any
		want         verdict
	}{
		{"true", "require: telnet.open", map[string]any{a: true}, verdict{Result: Pass, Proof: "telnet.open=true"}},
		{"false", "require: telnet.open", map[string]any{a: false}, verdict{Result: Fail, Severity: Low, Proof: "telnet.open=false"}},
		{"nobody looked", "require: telnet.open", nil, verdict{Result: Unknown, Missing: "telnet.open=not-asked"}},
		{"looked for in vain", "require: telnet.open", map[string]any{a: fact.Refused}, verdict{Result: Unknown, Missing: "telnet.open=refused"}},
		{"not unknown", "require: '!telnet.open'", nil, verdict{Result: Unknown, Missing: "telnet.open=not-asked"}},
		{"true or unknown", "require: telnet.open || http.open", map[string]any{a: true}, verdict{Result: Pass, Proof: "telnet.open=true"}},
		{"unknown or true", "require: telnet.open || http.open", map[string]any{b: true}, verdict{Result: Pass, Proof: "http.open=true"}},
		{"false or unknown", "require: telnet.open || http.open", map[string]any{a: false}, verdict{Result: Unknown, Missing: "http.open=not-asked", Proof: "telnet.open=false"}},
		{"false and unknown", "require: telnet.open && http.open", map[string]any{a: false}, verdict{Result: Fail, Severity: Low, Proof: "telnet.open=false"}},
		{"unknown and false", "require: telnet.open && http.open", map[string]any{b: false}, verdict{Result: Fail, Severity: Low, Proof: "http.open=false"}},
		{"both unknown", "require: telnet.open && http.open", map[string]any{b: fact.Stale}, verdict{Result: Unknown, Missing: "http.open=stale telnet.open=not-asked"}},
		{"one word twice", "require: telnet.open || !telnet.open", nil, verdict{Result: Unknown, Missing: "telnet.open=not-asked"}},
		{"unknown in a list", "require: device.class in ['lock', 'light']", nil, verdict{Result: Unknown, Missing: "device.class=not-asked"}},
		{"unknown loop", "require: mdns.services.exists(s, s == '_a._tcp')", nil, verdict{Result: Unknown, Missing: "mdns.services=not-asked"}},
		{"loop", "require: mdns.services.exists(s, s == '_a._tcp')", map[string]any{"mdns.services": []string{"_b._tcp", "_a._tcp"}}, verdict{Result: Pass, Proof: "mdns.services=[_b._tcp _a._tcp]"}},
		{"empty list", "require: mdns.services.exists(s, s == '_a._tcp')", map[string]any{"mdns.services": []string{}}, verdict{Result: Fail, Severity: Low, Proof: "mdns.services=[]"}},
		{"a loop's variable may have a word's name", "require: mdns.services.all(telnet, telnet != '') && telnet.open", map[string]any{"mdns.services": []string{"x"}, a: true}, verdict{Result: Pass, Proof: "mdns.services=[x] telnet.open=true"}},
		{"number", "require: telnet.port < 1024", map[string]any{"telnet.port": int64(2323)}, verdict{Result: Fail, Severity: Low, Proof: "telnet.port=2323"}},
		{"text", "require: device.class == 'lock'", map[string]any{"device.class": "lock"}, verdict{Result: Pass, Proof: "device.class=lock"}},
		{"time", "require: now - device.first_seen < duration('1h')", map[string]any{"device.first_seen": noon.Add(-time.Hour)}, verdict{Result: Fail, Severity: Low, Proof: "device.first_seen=" + noon.Add(-time.Hour).String()}},

		{"when false", "when: telnet.open\nrequire: http.open", map[string]any{a: false}, verdict{Result: NotApplicable, Proof: "telnet.open=false"}},
		{"when unknown and nobody looked", "when: telnet.open\nrequire: http.open", map[string]any{b: false}, verdict{Result: NotApplicable, Missing: "telnet.open=not-asked", Proof: "http.open=false"}},
		{"when unknown and somebody looked", "when: telnet.open\nrequire: http.open", map[string]any{a: fact.SourceDown}, verdict{Result: Unknown, Missing: "telnet.open=source-down"}},
		{"when lacks two words, one looked for", "when: telnet.open || http.tls\nrequire: http.open", map[string]any{a: nil}, verdict{Result: Unknown, Missing: "http.tls=not-asked telnet.open=no-answer"}},
		{"when true, require unknown", "when: telnet.open\nrequire: http.open", map[string]any{a: true}, verdict{Result: Unknown, Missing: "http.open=not-asked", Proof: "telnet.open=true"}},
		{"whatever has the word: none", "when: http.open in [true, false]\nrequire: http.open", nil, verdict{Result: NotApplicable, Missing: "http.open=not-asked"}},
		{"whatever has the word: no", "when: http.open in [true, false]\nrequire: http.open", map[string]any{b: false}, verdict{Result: Fail, Severity: Low, Proof: "http.open=false"}},

		{"severity: the first that holds", "severity: [{if: http.open, then: critical}, {if: http.tls, then: high}, medium]\nrequire: '!telnet.open'", map[string]any{a: true, b: true, "http.tls": true}, verdict{Result: Fail, Severity: Critical, Proof: "http.open=true http.tls=true telnet.open=true"}},
		{"severity: unknown is skipped", "severity: [{if: http.open, then: critical}, {if: http.tls, then: high}, medium]\nrequire: '!telnet.open'", map[string]any{a: true, "http.tls": true}, verdict{Result: Fail, Severity: High, Proof: "http.tls=true telnet.open=true"}},
		{"severity: none holds", "severity: [{if: http.open, then: critical}, medium]\nrequire: '!telnet.open'", map[string]any{a: true, b: false}, verdict{Result: Fail, Severity: Medium, Proof: "http.open=false telnet.open=true"}},
		{"severity: error is skipped and told", "severity: [{if: 'mdns.services[3] == \"a\"', then: critical}, medium]\nrequire: '!telnet.open'", map[string]any{a: true, "mdns.services": []string{}}, verdict{Result: Fail, Severity: Medium, Proof: "mdns.services=[] telnet.open=true", Err: true}},

		{"require fails to run", "require: mdns.services[3] == 'a'", map[string]any{"mdns.services": []string{}}, verdict{Result: Unknown, Missing: "mdns.services=policy-error", Proof: "mdns.services=[]", Err: true}},
		{"when fails to run", "when: mdns.services[3] == 'a'\nrequire: telnet.open", map[string]any{"mdns.services": []string{}, a: true}, verdict{Result: Unknown, Missing: "mdns.services=policy-error telnet.open=policy-error", Proof: "mdns.services=[] telnet.open=true", Err: true}},
		{"too costly", "require: mdns.services.all(a, mdns.services.all(b, a + b + http.title != http.title + a + b))", map[string]any{"mdns.services": many(64), "http.title": strings.Repeat("x", 200)}, verdict{Result: Unknown, Missing: "http.title=policy-error mdns.services=policy-error", Proof: fmt.Sprintf("http.title=%s mdns.services=%v", strings.Repeat("x", 200), many(64)), Err: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vs, _ := single(t, tt.policy).Evaluate(facts(tt.facts), noon)
			if d := cmp.Diff(tt.want, short(vs[0])); d != "" {
				t.Errorf("%s\n%s", vs[0].Err, d)
			}
		})
	}
}

func many(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = strings.Repeat(string(rune('a'+i%26)), 200)
	}
	return out
}

func TestKnown(t *testing.T) {
	const policy = "require: known('telnet.port') || http.open\nafter: [telnet, http]"
	for _, tt := range []struct {
		name, policy string
		ev           *fact.Evidence
		want         verdict
	}{
		{"known", policy, facts(map[string]any{"telnet.port": int64(23)}), verdict{Result: Pass, Proof: "telnet.port=23"}},
		{"not known, one has not finished", policy, facts(map[string]any{"http.open": false}, "telnet"), verdict{Result: Unknown, Missing: "telnet.port=not-asked", Proof: "http.open=false"}},
		{"not known, all have finished", policy, facts(map[string]any{"http.open": false}, "telnet", "http"), verdict{Result: Fail, Severity: Low, Proof: "http.open=false"}},
		{"passes without it", policy, facts(map[string]any{"http.open": true}), verdict{Result: Pass, Proof: "http.open=true"}},
		{"another word is unknown", policy, facts(nil, "telnet", "http"), verdict{Result: Unknown, Missing: "http.open=not-asked"}},
		{"looked for in vain and finished", policy, facts(map[string]any{"telnet.port": nil, "http.open": false}, "telnet", "http"), verdict{Result: Fail, Severity: Low, Proof: "http.open=false"}},
		{"never unknown in when", "when: '!known(\"telnet.port\")'\nrequire: http.open\nafter: [telnet]", facts(map[string]any{"http.open": false}, "telnet"), verdict{Result: Fail, Severity: Low, Proof: "http.open=false"}},
		{"a word of after is not there", "require: known('telnet.port') || http.open\nafter: [telnet.open]", facts(map[string]any{"http.open": false}), verdict{Result: Unknown, Missing: "telnet.port=not-asked", Proof: "http.open=false"}},
		{"a word of after was looked for in vain", "require: known('telnet.port') || http.open\nafter: [telnet.open]", facts(map[string]any{"http.open": false, "telnet.open": nil}), verdict{Result: Fail, Severity: Low, Proof: "http.open=false"}},
		{"a word of after is known", "require: known('telnet.port') || http.open\nafter: [telnet.open]", facts(map[string]any{"http.open": false, "telnet.open": true}), verdict{Result: Fail, Severity: Low, Proof: "http.open=false"}},
		{"when rests on it, not finished", "when: '!known(\"telnet.port\")'\nrequire: http.open\nafter: [telnet]", facts(map[string]any{"http.open": false}), verdict{Result: Unknown, Missing: "telnet.port=not-asked", Proof: "http.open=false"}},
		{"when is false by it, not finished", "when: known('telnet.port')\nrequire: http.open\nafter: [telnet]", facts(map[string]any{"http.open": false}), verdict{Result: NotApplicable, Proof: "http.open=false"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vs, _ := single(t, tt.policy).Evaluate(tt.ev, noon)
			if d := cmp.Diff(tt.want, short(vs[0])); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAgain(t *testing.T) {
	const (
		timed = "now - device.first_seen > duration('1h')"
		never = time.Duration(0)
		hour  = time.Hour + 1
	)
	seen := map[string]any{"device.first_seen": noon}
	with := func(open bool) map[string]any {
		return map[string]any{"telnet.open": open, "device.first_seen": noon}
	}
	for _, tt := range []struct {
		name, policy string
		facts        map[string]any
		want         time.Duration
	}{
		{"no time in it", "require: telnet.open", map[string]any{"telnet.open": true}, never},
		{"require reads the time", "require: " + timed, seen, hour},
		{"its word is unknown", "require: " + timed, nil, never},
		{"its word is unknown, another is not", "require: telnet.open || " + timed, map[string]any{"telnet.open": false}, never},
		{"its time has come", "require: " + timed, map[string]any{"device.first_seen": noon.Add(-time.Hour)}, 1},
		{"its time has passed", "require: " + timed, map[string]any{"device.first_seen": noon.Add(-hour)}, never},
		{"one of its words is known", "require: telnet.open || " + timed, seen, hour},
		{"the earlier of two", "require: " + timed + " || now - device.firmware_date < duration('30m')",
			map[string]any{"device.first_seen": noon, "device.firmware_date": noon}, 30*time.Minute + 1},
		{"settled whatever the time is", "require: telnet.open || " + timed, with(true), never},
		{"when reads the time", "when: " + timed + "\nrequire: telnet.open", seen, hour},
		{"when is false: require was not asked", "when: telnet.open\nrequire: " + timed, with(false), never},
		{"severity of a fail", "severity: [{if: " + timed + ", then: high}, low]\nrequire: telnet.open", with(false), hour},
		{"severity of a pass", "severity: [{if: " + timed + ", then: high}, low]\nrequire: telnet.open", with(true), never},
		{"only the time", "require: now > timestamp('2027-01-01T00:00:00Z')", nil, time.Minute},
		{"the time in another way too", "require: " + timed + " || now.getHours() < 6", seen, time.Minute},
		{"a sum", "require: device.first_seen + duration('1h') < now", seen, time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := single(t, tt.policy)
			vs, again := s.Evaluate(facts(tt.facts), noon)
			want := time.Time{}
			if tt.want != never {
				want = noon.Add(tt.want)
			}
			if !again.Equal(want) {
				t.Fatalf("again = %v, want %v", again, want)
			}
			if again.IsZero() {
				again = noon.AddDate(10, 0, 0)
			}
			if before, _ := s.Evaluate(facts(tt.facts), again.Add(-2)); before[0].Result != vs[0].Result {
				t.Errorf("it changes before its time, from %v to %v", vs[0].Result, before[0].Result)
			}
		})
	}
}

// Knowing more may settle a verdict, but never turns a pass into a fail or back:
// each example is judged with each of its words taken away.
func TestLessEvidenceNeverTurnsAVerdict(t *testing.T) {
	s := core(t)
	for _, p := range s.Policies() {
		for i, x := range p.Examples {
			full := judgeOne(t, s, p.ID, x)
			for word := range x.Facts {
				less := x
				less.Facts = map[string]any{}
				for w, v := range x.Facts {
					if w != word {
						less.Facts[w] = v
					}
				}
				got := judgeOne(t, s, p.ID, less).Result
				if got != full.Result && got != Unknown && got != NotApplicable {
					t.Errorf("%s: examples[%d] gives %s, without %s it gives %s", p.ID, i, full.Result, word, got)
				}
			}
		}
	}
}

func judgeOne(t *testing.T, s *Set, id string, x Example) Verdict {
	t.Helper()
	vs, _ := s.Evaluate(x.Evidence(), x.Now)
	for _, v := range vs {
		if v.Policy.ID == id {
			return v
		}
	}
	t.Fatalf("no verdict of %s", id)
	return Verdict{}
}

func TestEvaluateNothing(t *testing.T) {
	s := core(t)
	for name, ev := range map[string]*fact.Evidence{"nil": nil, "empty": fact.New("x", noon)} {
		vs, again := s.Evaluate(ev, noon)
		if len(vs) != len(s.Policies()) || !again.IsZero() {
			t.Errorf("%s: %d verdicts, again %v", name, len(vs), again)
		}
		for _, v := range vs {
			if v.Result != NotApplicable {
				t.Errorf("%s: %s is %s", name, v.Policy.ID, v.Result)
			}
		}
	}
}

// A device must not be told one thing by two policies.
func TestFindingsDoNotDouble(t *testing.T) {
	s := core(t)
	for _, tt := range []struct {
		name  string
		facts map[string]any
		want  string
	}{
		{"lock without encryption", map[string]any{"device.kind": "zwave", "zwave.entry_control": true, "zwave.security": "none", "zwave.supports_s2": true}, "zwave-no-security:high"},
		{"lock on S0", map[string]any{"device.kind": "zwave", "zwave.entry_control": true, "zwave.security": "s0", "zwave.supports_s2": true}, "zwave-lock-not-ac:high"},
		{"old lock on S0", map[string]any{"device.kind": "zwave", "zwave.entry_control": true, "zwave.security": "s0", "zwave.supports_s2": false}, "zwave-lock-not-ac:high"},
		{"lock as it should be", map[string]any{"device.kind": "zwave", "zwave.entry_control": true, "zwave.security": "s2-access-control", "zwave.supports_s2": true}, ""},
		{"lamp without encryption", map[string]any{"device.kind": "zwave", "zwave.entry_control": false, "zwave.security": "none", "zwave.supports_s2": true, "device.class": "light"}, "zwave-no-security:low"},
		{"lamp on S0", map[string]any{"device.kind": "zwave", "zwave.entry_control": false, "zwave.security": "s0", "zwave.supports_s2": true}, "zwave-s0:low"},
		{"controller", map[string]any{"device.kind": "zwave", "zwave.inclusion_open": false, "zwave.entry_control": false}, ""},
		{"hardened Zigbee network", map[string]any{"zigbee.role": "coordinator", "zigbee.default_ids": false, "zigbee.join_open": false, "zigbee.join_open_day": int64(0)}, ""},
		{"weak Zigbee network", map[string]any{"zigbee.role": "coordinator", "zigbee.default_ids": true, "zigbee.join_open": true}, "zigbee-default-key:low zigbee-join-open:low"},
		{"new device with Telnet", map[string]any{"device.appeared_after_learning": true, "device.trusted": false, "device.ip_reachable": true, "telnet.open": true, "http.open": false}, "new-device:medium telnet-open:high"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vs, _ := s.Evaluate(facts(tt.facts), noon)
			var got []string
			for _, v := range vs {
				if v.Result == Fail {
					got = append(got, v.Policy.ID+":"+v.Severity.String())
				}
			}
			if d := cmp.Diff(tt.want, strings.Join(got, " ")); d != "" {
				t.Error(d)
			}
		})
	}
}

// A Z-Wave node whose security nobody knows is not checked, by any policy.
func TestUnknownSecurityIsNotChecked(t *testing.T) {
	ev := facts(map[string]any{"device.kind": "zwave", "zwave.entry_control": true, "zwave.security": fact.NotReported, "zwave.supports_s2": fact.NotReported})
	vs, _ := core(t).Evaluate(ev, noon)
	got := map[string]Result{}
	for _, v := range vs {
		if strings.HasPrefix(v.Policy.ID, "zwave") {
			got[v.Policy.ID] = v.Result
		}
	}
	want := map[string]Result{"zwave-no-security": Unknown, "zwave-lock-not-ac": Unknown, "zwave-s0": NotApplicable, "zwave-inclusion-open": NotApplicable}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestEvaluateConcurrently(t *testing.T) {
	s := core(t)
	ev := facts(map[string]any{"device.ip_reachable": true, "telnet.open": true, "device.first_seen": noon, "zigbee.role": "router", "mdns.services": []string{"_a._tcp"}})
	want, _ := s.Evaluate(ev, noon)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				got, _ := s.Evaluate(ev, noon)
				for i := range got {
					if got[i].Result != want[i].Result {
						t.Errorf("%s: %s, want %s", got[i].Policy.ID, got[i].Result, want[i].Result)
					}
				}
			}
		})
	}
	wg.Wait()
}

// enlarged is the built-in set, with each policy many times over.
func enlarged(b *testing.B, n int) *Set {
	s := core(b)
	out := &Set{byID: map[string]*rule{}, patterns: s.patterns}
	for len(out.rules) < n {
		out.rules = append(out.rules, s.rules...)
	}
	out.rules = out.rules[:n]
	return out
}

// devices are kinds of devices as a home has them, from nothing known to all.
func devices(n int) []*fact.Evidence {
	kinds := []map[string]any{
		{"device.ip_reachable": true, "device.kind": "lan", "device.first_seen": noon, "device.appeared_after_learning": false, "device.trusted": false, "telnet.open": nil},
		{"device.ip_reachable": true, "device.kind": "lan", "device.first_seen": noon, "device.appeared_after_learning": true, "device.trusted": false, "telnet.open": true, "http.open": true, "http.basic_clear": true, "http.password_form_clear": false, "homekit.paired": false, "matter.window_open": true, "mdns.services": []string{"_hap._tcp", "_http._tcp"}},
		{"device.kind": "zigbee", "zigbee.role": "router", "zigbee.supported": true, "zigbee.interview": "successful", "device.first_seen": noon, "device.appeared_after_learning": false, "device.trusted": true},
		{"device.kind": "zigbee", "zigbee.role": "coordinator", "zigbee.join_open": true, "zigbee.join_open_since": noon, "zigbee.join_open_day": int64(10), "zigbee.default_ids": true},
		{"device.kind": "zwave", "zwave.security": "s0", "zwave.supports_s2": true, "zwave.entry_control": true, "device.class": "lock", "zwave.inclusion_open": false},
	}
	out := make([]*fact.Evidence, n)
	for i := range out {
		out[i] = facts(kinds[i%len(kinds)])
	}
	return out
}

// BenchmarkEvaluate judges 1,000 devices by all policies, those that come with
// the program and the number that the catalogue foresees.
func BenchmarkEvaluate(b *testing.B) {
	devs := devices(1000)
	for _, n := range []int{12, 140} {
		b.Run(fmt.Sprintf("policies=%d", n), func(b *testing.B) {
			s := enlarged(b, n)
			b.ReportAllocs()
			for b.Loop() {
				for _, ev := range devs {
					s.Evaluate(ev, noon)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(devs)), "µs/device")
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		core(b)
	}
}
