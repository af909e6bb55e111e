package cli

import (
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/term"
	"golang.org/x/text/width"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

const (
	// columns is the width to which sentences are wrapped: longer lines read badly.
	columns = 80
	// widest is up to how wide tables become.
	widest = 160
)

// screen is where a person or a program reads.
type screen struct {
	io.Writer
	terminal bool
	color    bool
	width    int // of the terminal in columns; 0 if unknown
}

func newScreen(w io.Writer) screen {
	f, ok := w.(*os.File)
	is := ok && term.IsTerminal(int(f.Fd()))
	wide := 0
	if is {
		wide, _, _ = term.GetSize(int(f.Fd())) // 0 where it can't be told
	}
	// https://no-color.org: present and not empty.
	return screen{&lockedWriter{w: w}, is, is && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb", wide}
}

// columns is the width to which tables fit.
func (s screen) columns() int { return max(columns, min(s.width, widest)) }

// lockedWriter makes one write at a time: notices of the agent come from several
// goroutines.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// paint colours text by severity, on a terminal that wants it.
func (s screen) paint(text string, sev policy.Severity) string {
	code := map[policy.Severity]string{policy.Critical: "1;31", policy.High: "31", policy.Medium: "33", policy.Low: "36"}[sev]
	if !s.color || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// heading makes text stand out on a terminal that wants it.
func (s screen) heading(text string) string {
	if !s.color {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}

// quote makes text that came from a device safe to print, and shows where it
// begins and ends, so that a device can't pass its name off as our words.
func quote(s string, max int) string {
	s = strings.ReplaceAll(fact.Clean(s, fact.MaxText), `"`, `'`)
	return `"` + cut(s, max-2) + `"`
}

// cells is the number of columns that a rune takes on a terminal (UAX #11).
func cells(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r >= 0x1f000 && r <= 0x1faff:
		return 2 // pictures, which terminals draw wide
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// measure is the number of columns that text takes.
func measure(s string) (n int) {
	for _, r := range s {
		n += cells(r)
	}
	return n
}

// cut shortens text to a number of columns.
func cut(s string, max int) string {
	if measure(s) <= max {
		return s
	}
	n := 0
	for i, r := range s {
		if n += cells(r); n > max-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// pad fills text up to a number of columns.
func pad(s string, n int) string {
	return s + strings.Repeat(" ", max(0, n-measure(s)))
}

// wrap breaks text into lines of at most max columns. A word that is longer is
// broken.
func wrap(s string, max int) []string {
	var lines []string
	line, n := "", 0
	for word := range strings.FieldsSeq(s) {
		for measure(word) > max {
			if line != "" {
				lines, line, n = append(lines, line), "", 0
			}
			head := headOf(word, max)
			lines, word = append(lines, head), word[len(head):]
		}
		w := measure(word)
		if line != "" && n+1+w > max {
			lines, line, n = append(lines, line), "", 0
		}
		if line != "" {
			line, n = line+" ", n+1
		}
		line, n = line+word, n+w
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

func headOf(s string, max int) string {
	n := 0
	for i, r := range s {
		if n += cells(r); n > max {
			return s[:i]
		}
	}
	return s
}

// paragraph is text after a label, wrapped, with all lines after the first
// indented by as much as the label is long.
func paragraph(label, text string) string { return hang(label, measure(label), text) }

// hang is paragraph for a label that is painted: how wide it shows is given.
func hang(label string, indent int, text string) string {
	lines := wrap(text, columns-indent)
	if len(lines) == 0 {
		return strings.TrimRight(label, " ") + "\n"
	}
	return label + strings.Join(lines, "\n"+strings.Repeat(" ", indent)) + "\n"
}

// steps is paragraph for text of ours that may have several lines, such as the
// steps of a remedy; each begins on a line of its own.
func steps(label, text string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		b.WriteString(paragraph(label, line))
		label = strings.Repeat(" ", measure(label))
	}
	return b.String()
}

// count is a number and its noun: "1 device", "2 devices".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		return strconv.Itoa(n) + " " + stem + "ies"
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
