package product

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// maxPattern is the longest pattern in bytes.
const maxPattern = 300

// pattern is equality ignoring case, or RE2 where the text begins with ^ or (?.
type pattern struct {
	expression          // its compiled is nil for equality
	needs      []string // ASCII lower case: every match contains one of them; none if nothing is known
	prefix     bool     // and begins with it
}

// mistaken finds what was meant as a regular expression.
var mistaken = regexp.MustCompile(`\\[dwsSW.(]|\.[*+]|\(\?|\$$`)

func newPattern(text string, c *compiled) (pattern, error) {
	p := pattern{expression: expression{text: text}}
	if len(text) > maxPattern {
		return p, fmt.Errorf("has %d bytes, at most %d are allowed", len(text), maxPattern)
	}
	if !isExpression(text) {
		if mistaken.MatchString(text) {
			return p, fmt.Errorf("%q looks like a regular expression: begin it with ^ or (?", text)
		}
		p.needs, p.prefix = []string{asciiLower(text)}, true
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
	p.needs, p.prefix = needsOf(tree.Simplify())
	p.compiled = c
	return p, nil
}

func isExpression(text string) bool {
	return strings.HasPrefix(text, "^") || strings.HasPrefix(text, "(?")
}

// match reports whether a value fits, and what the named groups hold. Lower is
// asciiLower(value).
func (p *pattern) match(value, lower string) (named map[string]string, ok bool) {
	if p.compiled == nil {
		return nil, strings.EqualFold(p.text, value)
	}
	if !p.mayMatch(lower) {
		return nil, false
	}
	re := p.re()
	if !re.MatchString(value) {
		return nil, false
	}
	if re.NumSubexp() == 0 {
		return nil, true
	}
	m := re.FindStringSubmatch(value)
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

// mayMatch is false for most of what does not match.
func (p *pattern) mayMatch(lower string) bool {
	for _, s := range p.needs {
		if p.prefix && strings.HasPrefix(lower, s) || !p.prefix && strings.Contains(lower, s) {
			return true
		}
	}
	return len(p.needs) == 0
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
