package product

import (
	"regexp"
	"sync"
)

// maxCompiled is how many expressions are kept compiled, at some 5 KB each. The
// devices of a home need fewer; one that shows the beginnings of all does not
// make the program grow.
const maxCompiled = 400

// compiled keeps the expressions that are in use. It is safe for concurrent use.
type compiled struct {
	mu   sync.Mutex
	kept map[string]*regexp.Regexp
}

// expression is an RE2 that is compiled at its first use.
type expression struct {
	text     string
	compiled *compiled
}

func (e expression) re() *regexp.Regexp {
	e.compiled.mu.Lock()
	defer e.compiled.mu.Unlock()
	re := e.compiled.kept[e.text]
	if re != nil {
		return re
	}
	re = regexp.MustCompile(e.text)
	if e.compiled.kept == nil || len(e.compiled.kept) >= maxCompiled {
		e.compiled.kept = map[string]*regexp.Regexp{}
	}
	e.compiled.kept[e.text] = re
	return re
}
