// Package version orders versions of firmware as makers write them.
//
// It does not know how a product writes the date into its version: the cards of
// package product do.
package version

import (
	"regexp"
	"strconv"
	"strings"
)

var preview = regexp.MustCompile(`(?i)beta|[-.]rc\d*|alpha|dev`)

// IsPreview reports whether a version calls itself one that is not for everybody:
// "1.5.0-beta1", "2026.8.0-dev".
func IsPreview(version string) bool { return preview.MatchString(version) }

// Compare compares two versions of numbers parted by points, with or
// without a "v" before them and a "-", "+" or "@" and more behind. It is false for
// what is none, and where only the rest differs: such versions have no order.
func Compare(a, b string) (order int, ok bool) {
	x, restX, ok1 := versionNumbers(a)
	y, restY, ok2 := versionNumbers(b)
	if !ok1 || !ok2 {
		return 0, false
	}
	for i := range max(len(x), len(y)) {
		switch p, q := part(x, i), part(y, i); {
		case p < q:
			return -1, true
		case p > q:
			return 1, true
		}
	}
	return 0, restX == restY
}

func part(n []int, i int) int {
	if i < len(n) {
		return n[i]
	}
	return 0
}

func versionNumbers(s string) (numbers []int, rest string, ok bool) {
	s = strings.TrimPrefix(strings.TrimSpace(s), "v")
	if i := strings.IndexAny(s, "-+@"); i >= 0 {
		s, rest = s[:i], s[i:]
	}
	for p := range strings.SplitSeq(s, ".") {
		n, err := strconv.ParseUint(p, 10, 31)
		if err != nil || len(numbers) == 8 {
			return nil, "", false
		}
		numbers = append(numbers, int(n))
	}
	return numbers, rest, true
}
