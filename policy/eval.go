package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"go.yaml.in/yaml/v3"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Set is a number of policies, compiled. It does not change and is safe for
// concurrent use.
type Set struct {
	rules    []*rule // sorted by id
	byID     map[string]*rule
	patterns map[string]*cel.AttributePatternType
	steps    Steps
	warnings []string
}

// Warnings are what the owner should change, though it is understood: names of
// version 0.1.0. The slice is the caller's.
func (s *Set) Warnings() []string { return slices.Clone(s.warnings) }

// rule is a policy with its programs.
type rule struct {
	policy   *Policy
	when     *expr // nil: always
	require  *expr
	cases    []*expr // of the severity; nil: always
	evidence *expr   // the evidence as a sentence; nil: none
	idNode   *yaml.Node
	warnings []string // what its author should change
}

func newSet(c *compiler, byID map[string]*rule) *Set {
	s := &Set{byID: byID, patterns: c.patterns}
	for _, id := range sortedKeys(byID) {
		s.rules = append(s.rules, byID[id])
	}
	return s
}

// Policies returns all policies sorted by id. The slice is the caller's, what
// it points to is not.
func (s *Set) Policies() []*Policy {
	out := make([]*Policy, len(s.rules))
	for i, r := range s.rules {
		out[i] = r.policy
	}
	return out
}

// Policy returns the policy of that id, or of the id that replaced it, or nil.
func (s *Set) Policy(id string) *Policy {
	if r := s.byID[s.Current(id)]; r != nil {
		return r.policy
	}
	return nil
}

// Evaluate judges the evidence on a device by all policies at now. The verdicts
// are sorted by policy id. again is the earliest time at which a verdict can
// change without new evidence, because an expression reads the time; zero when
// none can. ev is only read; nil is a device of which nothing is known.
//
// A verdict is
//   - NotApplicable when the policy's `when` is false, or unknown and nobody
//     says of a word it lacks that it was looked for (then Missing names the
//     words);
//   - Unknown when `require` is unknown, when `when` is unknown and the evidence
//     has an unknown entry for a word it lacks, when the verdict stands only
//     thanks to known(...) and a word of `after` has not been looked for, and when
//     an expression fails (then Err says why);
//   - else Pass or Fail as `require` says.
//
// Its confidence is Likely when it would be another one if what is only likely
// were unknown; its severity is then no higher than what is sure gives.
func (s *Set) Evaluate(ev *fact.Evidence, now time.Time) (vs []Verdict, again time.Time) {
	v := &vars{ev: ev, now: now, patterns: s.patterns}
	vs = make([]Verdict, len(s.rules))
	for i, r := range s.rules {
		var changes time.Time
		vs[i], changes = r.judge(v)
		again = earliest(again, changes)
	}
	return vs, again
}

// judge gives the verdict, and when time alone can change it; zero is never.
func (r *rule) judge(v *vars) (Verdict, time.Time) {
	j := judgement{rule: r, vars: v}
	out := j.run()
	if (out.Result == Pass || out.Result == Fail) && !j.finished() {
		strict := judgement{rule: r, vars: v, pending: true}
		if s := strict.run(); s.Result != out.Result {
			for i := range s.Missing {
				s.Missing[i].Why = fact.NotProbed
			}
			out = Verdict{Policy: r.policy, Result: Unknown, Missing: s.Missing}
		}
	}
	if out.Result == Pass || out.Result == Fail {
		out.Confidence = r.policy.Confidence
		if v.likely(r.policy.Words) {
			sure := judgement{rule: r, vars: v, sure: true}
			if sure.run().Result != out.Result {
				out.Confidence = Likely
			}
		}
	}
	if out.Result == Fail {
		j.texts(&out)
	}
	for _, w := range r.policy.Words {
		if n, ok := v.ev.Entry(w); ok && n.Known() {
			out.Proof = append(out.Proof, n)
		}
	}
	return out, j.again
}

// judgement is one policy judging one device.
type judgement struct {
	rule *rule
	vars *vars
	// pending makes known(...) of an unknown word unknown instead of false.
	pending bool
	// sure makes likely words unknown.
	sure bool
	// again is when time alone can change it; zero is never.
	again time.Time
}

func (j *judgement) run() Verdict {
	r := j.rule
	out := Verdict{Policy: r.policy}
	if r.when != nil {
		o := j.eval(r.when)
		switch {
		case o.err != nil:
			return j.failed(out, "when", o.err)
		case len(o.missing) > 0:
			out.Missing = j.missing(o.missing)
			out.Result = NotApplicable
			if slices.ContainsFunc(o.missing, j.triedToLearn) {
				out.Result = Unknown
			}
			return out
		case !o.value:
			out.Result = NotApplicable
			return out
		}
	}
	o := j.eval(r.require)
	switch {
	case o.err != nil:
		return j.failed(out, "require", o.err)
	case len(o.missing) > 0:
		out.Result, out.Missing = Unknown, j.missing(o.missing)
	case o.value:
		out.Result = Pass
	default:
		out.Result = Fail
		out.Severity, out.Texts.Case, out.Err = j.severity()
	}
	return out
}

// texts fills in what a failed verdict says. An expression that fails leaves the
// proof to speak.
func (j *judgement) texts(out *Verdict) {
	if n, ok := j.vars.ev.Entry(fact.DeviceProduct.Name()); ok && n.Known() {
		out.Texts.Product, _ = n.Value.(string)
	}
	if e := j.rule.evidence; e != nil {
		if o := j.program(e, j.unknown(e)); o.err != nil {
			out.Err = failure("evidence", o.err)
		} else {
			out.Texts.Evidence = fact.Clean(o.text, maxEvidence)
		}
	}
}

// failed is the verdict of an expression that could not be evaluated.
func (j *judgement) failed(out Verdict, key string, err error) Verdict {
	out.Result, out.Err = Unknown, failure(key, err)
	for _, w := range j.rule.policy.Words {
		out.Missing = append(out.Missing, Missing{Word: w, Why: fact.PolicyErr})
	}
	return out
}

// failure words an error of CEL, which can hold what a device sent.
func failure(key string, err error) string {
	return fact.Clean(key+": "+err.Error(), fact.MaxText)
}

// severity returns the severity of a fail and the index, plus one, of the case
// that gave it. What is only likely may lower it, never raise it.
func (j *judgement) severity() (Severity, int, string) {
	then, at, failed := j.firstCase()
	if !j.sure && j.vars.likely(j.rule.policy.Words) {
		sure := judgement{rule: j.rule, vars: j.vars, sure: true}
		if s, i, _ := sure.firstCase(); s < then {
			return s, i, failed
		}
	}
	return then, at, failed
}

func (j *judgement) firstCase() (Severity, int, string) {
	failed := ""
	for i, e := range j.rule.cases {
		then := j.rule.policy.Severity[i].Then
		if e == nil {
			return then, i + 1, failed
		}
		o := j.eval(e)
		if o.err != nil {
			failed = failure(fmt.Sprintf("severity[%d].if", i), o.err)
			continue
		}
		if o.value && len(o.missing) == 0 {
			return then, i + 1, failed
		}
	}
	return 0, 0, failed // the loader sees to it that the last case has no `if`
}

func (j *judgement) triedToLearn(word string) bool {
	n, ok := j.vars.ev.Entry(word)
	return ok && !n.Known()
}

func (j *judgement) missing(words []string) []Missing {
	out := make([]Missing, len(words))
	for i, w := range words {
		out[i] = Missing{Word: w, Why: fact.NotProbed}
		if n, ok := j.vars.ev.Entry(w); ok && n.Why != "" {
			out[i].Why = n.Why
		}
	}
	return out
}

// outcome is the value of an expression, or the words it lacks, or an error.
type outcome struct {
	value   bool
	text    string   // of an expression that gives text
	missing []string // sorted
	err     error
}

// known reports whether the word counts as known here.
func (j *judgement) known(word string) bool {
	n, _ := j.vars.ev.Entry(word)
	return n.Known() && !(j.sure && n.Likely)
}

// unknown are the variables of the words that an expression lacks.
func (j *judgement) unknown(e *expr) (patterns []*cel.AttributePatternType) {
	for _, w := range e.words {
		if !j.known(w) {
			patterns = append(patterns, j.vars.patterns[w])
		}
	}
	return patterns
}

func (j *judgement) eval(e *expr) outcome {
	unknown := j.unknown(e)
	blank := len(unknown) == len(e.words)
	if blank && e.blank != nil {
		return *e.blank
	}
	if j.pending || j.sure {
		for _, w := range e.known {
			// A word that is only likely may also be unknown.
			if j.pending && !j.vars.has(w) || j.sure && j.vars.has(w) && !j.known(w) {
				unknown = append(unknown, j.vars.patterns[knownPrefix+w])
			}
		}
	}
	if e.now {
		// What holds whatever the time is need not be looked at again.
		o := j.program(e, append(slices.Clip(unknown), j.vars.patterns[nowName]))
		if len(o.missing) == 0 {
			return o
		}
		if !blank || len(e.words) == 0 {
			j.again = earliest(j.again, e.changes(j.vars))
		}
	}
	return j.program(e, unknown)
}

// program runs an expression with some variables unknown.
func (j *judgement) program(e *expr, unknown []*cel.AttributePatternType) (o outcome) {
	defer func() {
		if r := recover(); r != nil {
			o = outcome{err: fmt.Errorf("internal error: %v", r)}
		}
	}()
	in := cel.Activation(j.vars)
	if len(unknown) > 0 {
		partial, err := cel.PartialVars(in, unknown...)
		if err != nil {
			return outcome{err: err}
		}
		in = partial
	}
	out, _, err := e.program.Eval(in)
	if err != nil {
		return outcome{err: err}
	}
	switch x := out.(type) {
	case types.Bool:
		return outcome{value: bool(x)}
	case types.String:
		return outcome{text: string(x)}
	case *types.Unknown:
		return outcome{missing: lacking(x)}
	default:
		return outcome{err: fmt.Errorf("the result is %s, neither true or false nor text", out.Type())}
	}
}

// lacking names the words for want of which a result is unknown.
func lacking(u *types.Unknown) []string {
	var words []string
	for _, id := range u.IDs() {
		trails, _ := u.GetAttributeTrails(id)
		for _, t := range trails {
			words = append(words, strings.TrimPrefix(t.Variable(), knownPrefix))
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}
