package fact

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxText is the longest text, in runes, that a word or a proof keeps of
	// what a device sent.
	MaxText = 200
	// MaxItems is the largest number of items that a list word keeps.
	MaxItems = 64
)

// Clean makes text that came from a device fit to show: invalid UTF-8, control
// characters, escape sequences' introducers, bidirectional controls and
// zero-width characters are dropped, white space is folded to single spaces,
// and the result is cut to max runes (threats T8 and T9 of the catalogue). It
// does not make text safe inside HTML, Markdown or a template: whoever prints
// there escapes.
func Clean(s string, max int) string {
	if max <= 0 {
		return ""
	}
	var b strings.Builder
	b.Grow(min(len(s), max))
	space, n := false, 0
	for len(s) > 0 && n < max {
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		switch {
		case r == utf8.RuneError && size <= 1:
			continue
		case unicode.IsSpace(r):
			space = b.Len() > 0
			continue
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp):
			continue
		}
		if space {
			if n+2 > max { // a space at the end would be no use
				break
			}
			b.WriteByte(' ')
			space = false
			n++
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}

func clean[T Value](v T) any {
	switch x := any(v).(type) {
	case string:
		return Clean(x, MaxText)
	case []string:
		out := make([]string, 0, min(len(x), MaxItems))
		for _, s := range x {
			if len(out) == MaxItems {
				break
			}
			out = append(out, Clean(s, MaxText))
		}
		return out
	case time.Time:
		return x.UTC().Round(0)
	default:
		return x
	}
}
