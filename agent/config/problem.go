package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one mistake in the configuration and its place.
type Problem struct {
	File string // or, with no line and key, the environment variable
	Line int    // 0 if unknown
	Key  string // such as "devices[2].match"
	Text string // what is wrong, and what to write instead
}

// String writes the problem as file:line: key: what is wrong.
func (p Problem) String() string {
	s := p.File
	if p.Line > 0 {
		s += fmt.Sprintf(":%d", p.Line)
	}
	if p.Key != "" {
		s += ": " + p.Key
	}
	return s + ": " + p.Text
}

// Place is where a key such as "policies.disable[0]" stands, to begin a message
// with: "config.yaml:12: policies.disable[0]".
func (c Config) Place(key string) string {
	return strings.TrimSuffix(Problem{File: c.File, Line: c.lines[key], Key: key}.String(), ": ")
}

// Problems is the error of a configuration that can't be used: every mistake
// in it, in the order of its lines.
type Problems []Problem

// Error gives one mistake a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return ps
}

// closest returns the name that s was probably meant to be, or "".
func closest(s string, names []string) string {
	s = strings.ToLower(strings.ReplaceAll(s, "-", "_"))
	best, bestAt := "", 3
	for _, n := range names {
		limit := min(bestAt, 1+len(n)/3)
		if d := distance(s, strings.ToLower(n)); d < bestAt && d <= limit {
			best, bestAt = n, d
		}
	}
	return best
}

// distance is the number of single letters to insert, drop or change (Levenshtein).
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j+1]+1, row[j]+1, change)
		}
	}
	return row[len(b)]
}
