package hass

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

const (
	maxName = 64  // runes of a device's name (threat T8)
	maxInfo = 100 // runes of a manufacturer, model or version
)

// autolink is what Markdown makes a link of even without brackets.
var autolink = regexp.MustCompile(`(?i)(://|www\.|@)`)

// portMapped is the sign between the two ports of a mapping, tcp/8443>443.
var portMapped = regexp.MustCompile(`(\d)>(\d)`)

// name makes a text that a device chose fit for a name: letters, digits and a
// few signs that mean nothing to templates, Markdown, HTML or a spreadsheet
// (threats T7 and T8).
func name(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.In(r, unicode.L, unicode.M, unicode.N), strings.ContainsRune(` -.,:'()&+#°"@`, r):
			return r
		default:
			return ' '
		}
	}, fact.Clean(s, 4*limit))
	s = autolink.ReplaceAllString(s, " ")
	return strings.TrimRight(fact.Clean(strings.TrimLeft(s, `+-@=#.,:&'" `), limit), " ")
}

// plain makes protocol text of a device, or another text of one line, fit to be
// shown: the signs of templates, HTML and Markdown links are dropped, links are
// broken. A port mapping keeps its arrow.
func plain(s string, limit int) string {
	s = portMapped.ReplaceAllString(s, "$1→$2")
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune("<>{}[]`|\\", r) {
			return -1
		}
		return r
	}, s)
	s = autolink.ReplaceAllStringFunc(s, func(m string) string {
		return strings.NewReplacer("://", ": //", ".", " .", "@", " @ ").Replace(m)
	})
	return cut(fact.Clean(s, limit), limit)
}

// paragraph cleans a policy's text, which may have several lines.
func paragraph(s string, limit int) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = fact.Clean(l, limit)
	}
	return cut(strings.TrimSpace(strings.Join(lines, "\n")), limit)
}

// cut shortens a text to limit bytes and shows that it did.
func cut(s string, limit int) string {
	const mark = "…"
	if len(s) <= limit {
		return s
	}
	if limit < len(mark) {
		return ""
	}
	s = s[:limit-len(mark)]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + mark
}
