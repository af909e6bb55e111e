package cli

import (
	"fmt"
	"strings"

	"github.com/thingwarden/thingwarden/policy"
)

// severityWide is the width of the column of severities.
const severityWide = 8

// gap stands between two columns.
const gap = "  "

// table is rows of text below a heading. It takes the width that the text needs,
// at most that of the screen: then the widest columns are cut, and the last one is
// cut or wrapped.
type table struct {
	head  []string
	least []int // width to which a column may be cut
	wrap  bool  // the last column
	rows  []tableRow
}

type tableRow struct {
	severity policy.Severity // colours the first column; 0 for none
	cells    []string
}

// add appends a row. Text of a device comes in quotation marks, see name.
func (t *table) add(sev policy.Severity, cells ...string) {
	t.rows = append(t.rows, tableRow{sev, cells})
}

func (t *table) write(w screen) {
	wide := t.widths(w.columns())
	last := len(t.head) - 1
	line := func(cells []string, paint func(i int, text string) string) {
		lines := []string{shorten(cells[last], wide[last])}
		if t.wrap {
			lines = wrap(cells[last], wide[last])
		}
		var b strings.Builder
		for i, text := range cells[:last] {
			b.WriteString(paint(i, pad(shorten(text, wide[i]), wide[i])) + gap)
		}
		indent := strings.Repeat(" ", measure(strings.Repeat(gap, last))+sum(wide[:last]))
		b.WriteString(paint(last, strings.Join(lines, "\n"+indent)))
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
	line(t.head, func(_ int, text string) string { return w.heading(text) })
	for _, r := range t.rows {
		line(r.cells, func(i int, text string) string {
			if i > 0 {
				return text
			}
			return w.paint(text, r.severity)
		})
	}
}

// widths is how wide each column is on a screen of some width.
func (t *table) widths(screen int) []int {
	wide := make([]int, len(t.head))
	for i, text := range t.head {
		wide[i] = measure(text)
		for _, r := range t.rows {
			wide[i] = max(wide[i], measure(r.cells[i]))
		}
	}
	// The last column is the first to give way, then the widest of the others.
	over := sum(wide) + len(gap)*(len(wide)-1) - screen
	last := len(wide) - 1
	if over > 0 {
		less := min(over, max(0, wide[last]-t.least[last]))
		wide[last] -= less
		over -= less
	}
	for ; over > 0; over-- {
		widest, most := -1, 0
		for i := range last {
			if spare := wide[i] - t.least[i]; spare > most {
				widest, most = i, spare
			}
		}
		if widest < 0 {
			break
		}
		wide[widest]--
	}
	return wide
}

func sum(all []int) (n int) {
	for _, x := range all {
		n += x
	}
	return n
}

// shorten cuts text to a number of columns. Where it ends in a quotation mark, it
// still does.
func shorten(s string, max int) string {
	if measure(s) > max && strings.HasSuffix(s, `"`) {
		return cut(s, max-1) + `"`
	}
	return cut(s, max)
}
