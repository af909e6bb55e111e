package policy

import (
	"fmt"
	"strconv"
	"strings"
)

// didYouMean ends a message about a name that is none of the known ones with
// the nearest of them, or those that begin with it; it is empty when none is near.
func didYouMean(name string, known []string) string {
	best, least := "", max(1, len(name)/3)+1
	for _, k := range known {
		if d := distance(name, k); d < least && d < len(name) {
			best, least = k, d
		}
	}
	if best == "" {
		return begunWith(name, known)
	}
	return fmt.Sprintf(": did you mean %q?", best)
}

// begunWith ends the message with the names whose first words are the name, if there
// are few of them.
func begunWith(name string, known []string) string {
	const most = 3
	var out []string
	for _, k := range known {
		if rest, ok := strings.CutPrefix(k, name); ok && name != "" && strings.ContainsRune("-._", rune(rest[0])) {
			out = append(out, strconv.Quote(k))
		}
	}
	if len(out) == 0 || len(out) > most {
		return ""
	}
	return ": did you mean " + strings.Join(out, " or ") + "?"
}

// distance is the number of bytes to insert, delete or replace to turn a into b
// (Levenshtein). Names are short ASCII; longer texts are far from everything.
func distance(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return max(len(a), len(b))
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
			row[j+1] = min(row[j]+1, row[j+1]+1, change)
		}
	}
	return row[len(b)]
}
