package policy

import (
	"time"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// checkAgain is how long a verdict is good for that depends on the time in a way
// that moments does not know.
const checkAgain = time.Minute

// moment is when time alone can change an expression: so long after the time that
// a word tells.
type moment struct {
	word  string
	after time.Duration
}

// moments returns all moments of an expression that reads the time only as in
// `now - device.first_seen > duration("1h")`, which is how policies do; of any
// other one it returns none.
func moments(a *ast.AST) []moment {
	var out []moment
	reads := 0
	ast.PostOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if ref := a.ReferenceMap()[e.ID()]; ref != nil && ref.Name == nowName {
			reads++
		}
		if m, ok := momentOf(a, e); ok {
			out = append(out, m)
		}
	}))
	if len(out) != reads {
		return nil
	}
	return out
}

func momentOf(a *ast.AST, e ast.Expr) (moment, bool) {
	left, right, ok := call(e, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals)
	if !ok {
		return moment{}, false
	}
	now, word, ok := call(left, operators.Subtract)
	if !ok || name(a, now) != nowName {
		return moment{}, false
	}
	w := fact.Lookup(name(a, word))
	after, isDuration := literalDuration(right)
	if w == nil || w.Type != fact.Time || !isDuration {
		return moment{}, false
	}
	return moment{w.Name, after}, true
}

// call returns the two arguments of a call of one of the functions.
func call(e ast.Expr, functions ...string) (first, second ast.Expr, ok bool) {
	if e.Kind() != ast.CallKind || len(e.AsCall().Args()) != 2 {
		return nil, nil, false
	}
	c := e.AsCall()
	for _, f := range functions {
		if c.FunctionName() == f {
			return c.Args()[0], c.Args()[1], true
		}
	}
	return nil, nil, false
}

// name is that of a variable, "" of anything else.
func name(a *ast.AST, e ast.Expr) string {
	if ref := a.ReferenceMap()[e.ID()]; ref != nil {
		return ref.Name
	}
	return ""
}

func literalDuration(e ast.Expr) (time.Duration, bool) {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != overloads.TypeConvertDuration || len(e.AsCall().Args()) != 1 {
		return 0, false
	}
	arg := e.AsCall().Args()[0]
	if arg.Kind() != ast.LiteralKind {
		return 0, false
	}
	text, _ := arg.AsLiteral().Value().(string)
	d, err := time.ParseDuration(text)
	return d, err == nil
}

// earliest returns the earlier of two times, where zero is never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// changes returns the earliest time after now at which the expression can change
// by itself; zero when there is none.
func (e *expr) changes(v *vars) (first time.Time) {
	if e.moments == nil {
		return v.now.Add(checkAgain)
	}
	for _, m := range e.moments {
		n, _ := v.ev.Entry(m.word)
		since, ok := n.Value.(time.Time)
		if !ok || !n.Known() {
			continue
		}
		// With > and <= it is the instant after.
		if at := since.Add(m.after + 1); at.After(v.now) {
			first = earliest(first, at)
		}
	}
	return first
}
