package product

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// dateRule reads the day of a firmware from its version.
type dateRule struct {
	version expression
	before  time.Time // of versions that only tell that they are older
}

// buildDate is read where a product says nothing of its versions. Makers write
// the day with six digits or eight, and put anything behind it ("Rel.145838",
// "n", "(5553)").
const buildDate = `(?i)\bbuild[ :_-]{0,2}(?:(?P<yyyymmdd>\d{8})|(?P<yymmdd>\d{6}))(?:\D|$)`

// dateGroups are the groups that firmware_date can have.
var dateGroups = []string{"yyyymmdd", "yymmdd", "year", "month", "day"}

func (p *parser) dates(n *yaml.Node, key string) (rules []dateRule) {
	if n.Kind != yaml.SequenceNode {
		return []dateRule{p.date(n, key)}
	}
	p.each(n, key, func(n *yaml.Node, key string) { rules = append(rules, p.date(n, key)) })
	return rules
}

func (p *parser) date(n *yaml.Node, key string) (r dateRule) {
	if n.Kind != yaml.MappingNode {
		r.version = p.datePattern(n, key, true)
		return r
	}
	p.mapping(n, key, []string{"version", "before"}, map[string]func(*yaml.Node, string){
		"version": func(n *yaml.Node, key string) { r.version = p.datePattern(n, key, false) },
		"before": func(n *yaml.Node, key string) {
			day, err := time.Parse(time.DateOnly, n.Value)
			if err != nil {
				p.at(n.Line, key, "%q is no day such as 2021-07-31", n.Value)
			}
			r.before = day
		},
	})
	return r
}

func (p *parser) datePattern(n *yaml.Node, key string, needsDay bool) expression {
	text := p.text(n, key, nil)
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		p.at(n.Line, key, "%q is no RE2: %v", text, err)
		return expression{}
	}
	names := tree.CapNames()
	has := func(name string) bool { return slices.Contains(names, name) }
	if needsDay && !has("yyyymmdd") && !has("yymmdd") && !(has("year") && has("month")) {
		p.at(n.Line, key, "%q has no group yyyymmdd or yymmdd, nor year and month", text)
	}
	for _, name := range names {
		if name != "" && !slices.Contains(dateGroups, name) {
			p.at(n.Line, key, "%q has an unknown group %q", text, name)
		}
	}
	return expression{text, p.compiled}
}

// FirmwareDate returns the day on which a firmware was built, or shortly after
// it, if its version tells. ID is a value of device.product, or "". Of a version
// that tells its month only, the last day is taken, the first of the present
// month. A day before 2000 or later than the day after now is none.
func (c *Cards) FirmwareDate(id, version string, now time.Time) (time.Time, bool) {
	var rules []dateRule
	for _, p := range c.products[id] {
		rules = append(rules, p.dates...)
	}
	if len(rules) == 0 {
		rules = []dateRule{{version: expression{buildDate, c.compiled}}}
	}
	for _, r := range rules {
		re := r.version.re()
		m := re.FindStringSubmatch(version)
		if m == nil {
			continue
		}
		day := r.before
		if day.IsZero() {
			day = dayOf(re, m, now)
		}
		return day, day.Year() >= 2000 && !day.After(now.AddDate(0, 0, 1))
	}
	return time.Time{}, false
}

func dayOf(re *regexp.Regexp, m []string, now time.Time) time.Time {
	part := func(name string) string {
		if i := re.SubexpIndex(name); i >= 0 {
			return m[i]
		}
		return ""
	}
	text := part("yyyymmdd")
	if short := part("yymmdd"); text == "" && short != "" {
		text = "20" + short
	}
	if text != "" {
		day, err := time.Parse("20060102", text)
		if err != nil {
			return time.Time{}
		}
		return day
	}
	year, _ := strconv.Atoi(part("year"))
	month, _ := strconv.Atoi(part("month"))
	if month < 1 || month > 12 {
		return time.Time{}
	}
	if d, err := strconv.Atoi(part("day")); err == nil {
		return time.Date(year, time.Month(month), d, 0, 0, 0, 0, time.UTC)
	}
	first := time.Date(year, time.Month(month), 1, 0, 0, 0, 0, time.UTC)
	if last := first.AddDate(0, 1, -1); !last.After(now) {
		return last
	}
	return first
}
