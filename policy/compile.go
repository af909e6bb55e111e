package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"go.yaml.in/yaml/v3"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

const (
	// costLimit bounds the work of one evaluation, in CEL's units: a thousand
	// times what the costliest policy needs.
	costLimit = 100_000
	// maxDepth bounds the nesting of an expression.
	maxDepth = 40
	// knownPrefix makes the variable that known("word") stands for; it can't be
	// written in an expression.
	knownPrefix = "@known:"
	nowName     = "now"
)

// compiler turns expressions into programs. It is made once for a Set.
type compiler struct {
	env *cel.Env
	// patterns mark one variable each as unknown; they are only read.
	patterns map[string]*cel.AttributePatternType
}

// expr is a compiled expression and what it reads.
type expr struct {
	program cel.Program
	words   []string // read for their value, sorted
	known   []string // asked for by known(...), sorted
	now     bool
	// moments are when it changes by itself; nil where that is not known.
	moments []moment
	// blank is the outcome while none of words is known: always the same one,
	// and the one that most policies have for most devices. It is nil where it
	// can depend on something else.
	blank *outcome
}

func newCompiler() (*compiler, error) {
	c := &compiler{patterns: map[string]*cel.AttributePatternType{nowName: cel.AttributePattern(nowName)}}
	opts := []cel.EnvOption{
		cel.Variable(nowName, cel.TimestampType),
		sentences(),
		cel.Macros(cel.GlobalMacro("known", 1, expandKnown), cel.GlobalMacro(operators.Has, 1, refuseHas)),
		cel.ParserRecursionLimit(maxDepth),
		cel.ParserExpressionSizeLimit(maxExpr),
		cel.RegexProgramSizeLimit(1000),
		cel.DefaultUTCTimeZone(true),
		cel.ASTValidators(
			cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateRegexLiterals(),
			cel.ValidateHomogeneousAggregateLiterals(), cel.ValidateComprehensionNestingLimit(2)),
	}
	declare := func(name string, w *fact.Word) {
		known := knownPrefix + name
		opts = append(opts, cel.VariableWithDoc(name, celTypes[w.Type], w.Doc), cel.Variable(known, cel.BoolType))
		c.patterns[name] = cel.AttributePattern(name)
		c.patterns[known] = cel.AttributePattern(known)
	}
	for _, w := range fact.Words() {
		declare(w.Name, w)
	}
	for _, old := range fact.Renamed() {
		declare(old, fact.Lookup(old))
	}
	env, err := cel.NewEnv(opts...)
	if err != nil {
		return nil, fmt.Errorf("declaring the vocabulary: %w", err)
	}
	c.env = env
	return c, nil
}

var celTypes = map[fact.Type]*cel.Type{
	fact.Bool: cel.BoolType, fact.Int: cel.IntType, fact.String: cel.StringType,
	fact.Time: cel.TimestampType, fact.List: cel.ListType(cel.StringType),
}

// expandKnown makes known("word") a variable of its own, which is how it can be
// true or false while the word itself is unknown.
func expandKnown(f cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
	id := args[0].ID()
	if args[0].Kind() != ast.LiteralKind {
		return nil, f.NewError(id, knownUsage)
	}
	name, ok := args[0].AsLiteral().Value().(string)
	if !ok {
		return nil, f.NewError(id, knownUsage)
	}
	if fact.Lookup(name) == nil {
		return nil, f.NewError(id, unknownWord(name))
	}
	return f.NewIdent(knownPrefix + name), nil
}

// refuseHas takes the place of CEL's has(...), which does not work on words with
// dots.
func refuseHas(f cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
	return nil, f.NewError(args[0].ID(), "has(...) does not work here: "+knownUsage)
}

const knownUsage = `known takes one word in quotes, such as known("telnet.open")`

// compile compiles the expressions of the policy that was read and says what
// is wrong with them.
func (p *parser) compile(c *compiler) {
	r := p.rule
	if p.nodes.when != nil {
		r.when = p.expr(c, p.nodes.when, "when")
		if strings.TrimSpace(r.policy.When) == "true" {
			r.when = nil
		}
	}
	if p.nodes.require != nil {
		r.require = p.expr(c, p.nodes.require, "require")
	}
	for i, n := range p.nodes.cases {
		var e *expr
		if n != nil {
			e = p.expr(c, n, fmt.Sprintf("severity[%d].if", i))
		}
		r.cases = append(r.cases, e)
	}
	if p.nodes.evidence != nil {
		r.evidence = p.textExpr(c, p.nodes.evidence, "evidence")
	}
	if len(p.all) > 0 {
		return // what is missing may only have not been understood
	}
	words, known := map[string]bool{}, map[string]bool{}
	for _, e := range append([]*expr{r.when, r.require}, r.cases...) {
		if e == nil {
			continue
		}
		for _, w := range e.words {
			words[w] = true
		}
		for _, w := range e.known {
			words[w], known[w] = true, true
		}
	}
	r.policy.Words = slices.Sorted(maps.Keys(words))
	switch after := p.nodes.after; {
	case len(known) > 0 && after == nil:
		p.at(1, 1, "after", "the key is missing: a policy that uses known(...) names the words to wait for")
	case len(known) == 0 && after != nil:
		p.add(after, "after", "nothing waits for it: no expression uses known(...)")
	case after != nil:
		p.checkAfter(after)
	}
}

// expr compiles an expression that is true or false; nil when something is wrong
// with it.
func (p *parser) expr(c *compiler, n *yaml.Node, key string) *expr {
	e := p.compiled(c, n, key, cel.BoolType, "want an expression that is true or false, this one is of type %s")
	if e != nil && !e.now && len(e.known) == 0 {
		o := (&judgement{vars: &vars{patterns: c.patterns}}).eval(e)
		e.blank = &o
	}
	return e
}

// textExpr compiles an expression that gives text.
func (p *parser) textExpr(c *compiler, n *yaml.Node, key string) *expr {
	return p.compiled(c, n, key, cel.StringType, "want an expression that gives text, this one is of type %s")
}

// compiled compiles an expression of the given type; nil when something is wrong.
func (p *parser) compiled(c *compiler, n *yaml.Node, key string, want *cel.Type, otherwise string) *expr {
	if n.Kind != yaml.ScalarNode || strings.TrimSpace(n.Value) == "" {
		return nil // reported already
	}
	checked, iss := c.env.Compile(n.Value)
	if iss.Err() != nil {
		for _, e := range iss.Errors() {
			p.celError(n, key, e)
		}
		return nil
	}
	if t := checked.OutputType(); !t.IsExactType(want) {
		p.add(n, key, otherwise, t)
		return nil
	}
	if !p.checkLists(n, key, checked.NativeRep()) {
		return nil
	}
	program, err := c.env.Program(checked, cel.EvalOptions(cel.OptPartialEval), cel.CostLimit(costLimit))
	if err != nil {
		p.add(n, key, "%s", err)
		return nil
	}
	e := &expr{program: program}
	for _, ref := range checked.NativeRep().ReferenceMap() {
		word, isKnown := strings.CutPrefix(ref.Name, knownPrefix)
		switch {
		case ref.Name == nowName:
			e.now = true
		case fact.Lookup(word) == nil: // a loop's variable
		case isKnown:
			e.known = append(e.known, word)
		default:
			e.words = append(e.words, word)
		}
	}
	if e.now {
		e.moments = moments(checked.NativeRep())
	}
	slices.Sort(e.words)
	slices.Sort(e.known)
	e.words, e.known = slices.Compact(e.words), slices.Compact(e.known)
	return e
}

// checkLists refuses to compare a word that has a closed list of values with a
// text outside it: that would be false for ever and look like a pass.
func (p *parser) checkLists(n *yaml.Node, key string, a *ast.AST) bool {
	ok := true
	word := func(e ast.Expr) *fact.Word {
		ref := a.ReferenceMap()[e.ID()]
		if ref == nil {
			return nil
		}
		return fact.Lookup(ref.Name)
	}
	ast.PostOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind {
			return
		}
		call := e.AsCall()
		switch call.FunctionName() {
		case operators.Equals, operators.NotEquals, operators.In:
		default:
			return
		}
		args := call.Args()
		for i, arg := range args {
			w := word(arg)
			if w == nil || w.Values == nil {
				continue
			}
			for _, lit := range literals(args[1-i]) {
				s, isText := lit.AsLiteral().Value().(string)
				always := s == "" && call.FunctionName() == operators.NotEquals // true for every value
				if isText && !always && !slices.Contains(w.Values, s) {
					at := a.SourceInfo().GetStartLocation(lit.ID())
					line, col := p.place(n, at.Line(), at.Column())
					p.at(line, col, key, "%s", notInList(w, s))
					ok = false
				}
			}
		}
	}))
	return ok
}

func literals(e ast.Expr) []ast.Expr {
	switch e.Kind() {
	case ast.LiteralKind:
		return []ast.Expr{e}
	case ast.ListKind:
		var out []ast.Expr
		for _, x := range e.AsList().Elements() {
			out = append(out, literals(x)...)
		}
		return out
	default:
		return nil
	}
}

// celError reports CEL's message in our words where ours say more, at its place
// in the file.
func (p *parser) celError(n *yaml.Node, key string, e *common.Error) {
	line, col, msg := e.Location.Line(), e.Location.Column(), e.Message
	if rest, ok := strings.CutPrefix(msg, "undeclared reference to '"); ok {
		name, _, _ := strings.Cut(rest, "'")
		// CEL points to the last dot; the name begins before it.
		if i := strings.LastIndex(name, "."); i >= 0 {
			col = max(0, col-i)
		}
		msg = unknownWord(name)
		if name == "known" {
			msg = knownUsage
		}
	}
	msg, _, _ = strings.Cut(msg, " expecting ") // a list of every token of the grammar
	line, col = p.place(n, line, col)
	p.at(line, col, key, "%s", msg)
}

// place turns a place in an expression (line from 1, column from 0, in
// characters, as CEL counts) into one in the file (both from 1).
func (p *parser) place(n *yaml.Node, line, col int) (int, int) {
	if line < 1 || col < 0 { // CEL does not know where
		return n.Line, n.Column
	}
	if n.Style&yaml.LiteralStyle != 0 {
		at := n.Line + line
		return at, p.indent(at) + col + 1
	}
	at, start := n.Line, n.Column
	quoted := n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0
	if quoted {
		start++
	}
	if n.Style&yaml.FoldedStyle != 0 {
		at++
		start = p.indent(at) + 1
	}
	// YAML joins the lines of other styles by one space each.
	for {
		segment := []rune(strings.TrimRight(p.line(at), " \t\r"))
		segment = segment[min(start-1, len(segment)):]
		raw, rest := walk(segment, col, n.Style)
		if rest == 0 || at >= len(p.source) {
			return at, start + raw
		}
		col = rest - 1
		at++
		start = p.indent(at) + 1
	}
}

// walk steps over n characters of an expression as they are spelt in a quoted or
// plain scalar. It returns the number of characters passed in the file and how
// many steps are left at the end of the line.
func walk(segment []rune, n int, style yaml.Style) (raw, rest int) {
	for raw < len(segment) && n > 0 {
		double := style&yaml.DoubleQuotedStyle != 0 && segment[raw] == '\\'
		single := style&yaml.SingleQuotedStyle != 0 && segment[raw] == '\'' && raw+1 < len(segment) && segment[raw+1] == '\''
		if double || single {
			raw++
		}
		raw++
		n--
	}
	return raw, n
}

func (p *parser) line(n int) string {
	if n < 1 || n > len(p.source) {
		return ""
	}
	return p.source[n-1]
}

func (p *parser) indent(n int) int {
	l := p.line(n)
	return len(l) - len(strings.TrimLeft(l, " "))
}

// vars is what one evaluation sees: the evidence on a device, and the time.
type vars struct {
	ev       *fact.Evidence
	now      time.Time
	patterns map[string]*cel.AttributePatternType
}

// ResolveName gives CEL the value of a variable.
func (v *vars) ResolveName(name string) (any, bool) {
	if name == nowName {
		return v.now, true
	}
	if word, ok := strings.CutPrefix(name, knownPrefix); ok {
		return v.has(word), true
	}
	n, ok := v.ev.Entry(name)
	return n.Value, ok && n.Known()
}

// Parent says that there is nothing behind these variables.
func (v *vars) Parent() cel.Activation { return nil }

// likely reports whether one of the words is only likely.
func (v *vars) likely(words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool {
		n, _ := v.ev.Entry(w)
		return n.Known() && n.Likely
	})
}

func (v *vars) has(word string) bool {
	n, _ := v.ev.Entry(word)
	return n.Known()
}
