package product

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"sync"
)

// maxPattern is the longest pattern in bytes.
const maxPattern = 300

// pattern is equality ignoring case, or RE2 where the text begins with ^ or (?.
type pattern struct {
	text    string
	re      func() *regexp.Regexp // nil for equality; compiled at its first use
	literal string                // ASCII lower case that every match contains; "" if none is known
	prefix  bool                  // every match begins with literal
}

// mistaken finds what was meant as a regular expression.
var mistaken = regexp.MustCompile(`\\[dwsSW.(]|\.[*+]|\(\?|\$$`)

func newPattern(text string) (pattern, error) {
	p := pattern{text: text}
	if len(text) > maxPattern {
		return p, fmt.Errorf("has %d bytes, at most %d are allowed", len(text), maxPattern)
	}
	if !strings.HasPrefix(text, "^") && !strings.HasPrefix(text, "(?") {
		if mistaken.MatchString(text) {
			return p, fmt.Errorf("%q looks like a regular expression: begin it with ^ or (?", text)
		}
		p.literal, p.prefix = asciiLower(text), true
		return p, nil
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return p, fmt.Errorf("%q is no RE2: %w", text, err)
	}
	for _, name := range tree.CapNames() {
		if name != "" && groups[name] == "" {
			return p, fmt.Errorf("%q has a group %q; known are maker, model, name and version", text, name)
		}
	}
	p.literal, p.prefix = literalOf(tree)
	p.re = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
	return p, nil
}

// match reports whether a value fits, and what the named groups hold. Lower is
// asciiLower(value).
func (p *pattern) match(value, lower string) (named map[string]string, ok bool) {
	if p.re == nil {
		return nil, strings.EqualFold(p.text, value)
	}
	if p.prefix && !strings.HasPrefix(lower, p.literal) || !strings.Contains(lower, p.literal) {
		return nil, false
	}
	re := p.re()
	m := re.FindStringSubmatch(value)
	if m == nil {
		return nil, false
	}
	for i, name := range re.SubexpNames() {
		if text := strings.TrimSpace(m[i]); name != "" && text != "" {
			if named == nil {
				named = map[string]string{}
			}
			named[name] = text
		}
	}
	return named, true
}

// literalOf returns the longest literal that every match contains, or one that
// every match begins with if that has at least three bytes.
func literalOf(re *syntax.Regexp) (literal string, prefix bool) {
	var run strings.Builder
	atStart, first := false, true
	end := func() {
		switch s := run.String(); {
		case first && atStart && len(s) >= 3:
			literal, prefix = s, true
		case !prefix && len(s) > len(literal):
			literal = s
		}
		run.Reset()
		first = false
	}
	var walk func(*syntax.Regexp)
	walk = func(re *syntax.Regexp) {
		switch re.Op {
		case syntax.OpBeginText:
			atStart = first && run.Len() == 0
		case syntax.OpLiteral:
			for _, r := range re.Rune {
				if r >= 0x80 {
					end()
					continue
				}
				run.WriteString(asciiLower(string(r)))
			}
		case syntax.OpConcat:
			for _, sub := range re.Sub {
				walk(sub)
			}
		case syntax.OpCapture:
			walk(re.Sub[0])
		case syntax.OpPlus:
			walk(re.Sub[0])
			end()
		case syntax.OpEmptyMatch, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		default:
			end()
		}
	}
	walk(re.Simplify())
	end()
	return literal, prefix
}

// asciiLower is strings.ToLower for ASCII letters only: it keeps the length, so
// that a filter by it never disagrees with RE2 on another alphabet.
func asciiLower(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
