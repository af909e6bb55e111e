package main

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery/builtin"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/policy"
)

//go:generate go test -run ^TestTablesAreCurrent$ . -update

var update = flag.Bool("update", false, "write generated files anew")

// tablesFile is the page with the tables of all that the program has.
const tablesFile = "docs/checks.md"

// TestTablesAreCurrent compares the tables of sources, probes, searches and policies with
// what the program has, or writes them with -update.
func TestTablesAreCurrent(t *testing.T) {
	b, err := os.ReadFile(tablesFile)
	if err != nil {
		t.Fatal(err)
	}
	got := string(b)
	want := got
	for name, table := range map[string]string{"sources": sourcesTable(), "probes": probesTable(), "searches": searchesTable(), "policies": policiesTable(t)} {
		begin, end := "<!-- "+name+": made by make generate -->\n", "<!-- /"+name+" -->\n"
		head, rest, ok := strings.Cut(want, begin)
		_, tail, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("%s lacks the markers of the table of %s", tablesFile, name)
		}
		want = head + begin + table + end + tail
	}
	if *update {
		if err := os.WriteFile(tablesFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s is not current; run: make generate\n%s", tablesFile, d)
	}
}

// TestReadmeIsShort: a person reads the README to its end.
func TestReadmeIsShort(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(b, []byte("\n")); lines > 100 {
		t.Errorf("README.md has %d lines, more than 100: details belong in docs", lines)
	}
}

func sourcesTable() string {
	rows := []string{"| Source | What it reports |", "|---|---|"}
	for _, k := range builtin.Sources {
		rows = append(rows, fmt.Sprintf("| %s | %s |", k.Name, cell(k.Doc)))
	}
	return table(rows)
}

func probesTable() string {
	rows := []string{"| Probe | What it looks for |", "|---|---|"}
	for _, p := range byName(builtin.Probes, func(p *prober.Probe) string { return p.Name }) {
		rows = append(rows, fmt.Sprintf("| %s | %s |", p.Name, cell(p.Doc)))
	}
	return table(rows)
}

func searchesTable() string {
	rows := []string{"| Search | What it sends |", "|---|---|"}
	for _, s := range byName(builtin.Searches, func(s *prober.Search) string { return s.Name }) {
		rows = append(rows, fmt.Sprintf("| %s | %s |", s.Name, cell(s.Doc)))
	}
	return table(rows)
}

func policiesTable(t *testing.T) string {
	t.Helper()
	set, err := policy.Load(policy.Options{}, policy.Builtin()...)
	if err != nil {
		t.Fatal(err)
	}
	titles := map[policy.Severity][]string{}
	for _, p := range set.Policies() {
		worst := p.Severity[0].Then
		for _, c := range p.Severity {
			worst = max(worst, c.Then)
		}
		titles[worst] = append(titles[worst], cell(p.Title))
	}
	rows := []string{"| At worst | What is wrong |", "|---|---|"}
	for _, s := range slices.Backward(slices.Sorted(maps.Keys(titles))) {
		slices.Sort(titles[s])
		rows = append(rows, fmt.Sprintf("| %s | %s |", s, strings.Join(titles[s], " · ")))
	}
	return table(rows)
}

// byName sorts a list that stands in the order of its folders.
func byName[T any](list []T, name func(T) string) []T {
	return slices.SortedFunc(slices.Values(list), func(a, b T) int { return strings.Compare(name(a), name(b)) })
}

func table(rows []string) string { return strings.Join(rows, "\n") + "\n" }

// cell makes text fit for a cell of a table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(s)
}

// TestLists: sources, probes and searches stand in their lists, each with a doc
// of one sentence, and give words that there are; no two have the same name.
func TestLists(t *testing.T) {
	check := func(list string, names, docs []string) {
		if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
			t.Errorf("%s is not sorted by name, or has one twice: %q", list, names)
		}
		for i, doc := range docs {
			if !strings.HasSuffix(doc, ".") || strings.Contains(doc, "\n") {
				t.Errorf("%s: the doc of %q is no sentence: %q", list, names[i], doc)
			}
		}
	}
	var names, docs []string
	for _, k := range builtin.Sources {
		names, docs = append(names, k.Name), append(docs, k.Doc)
	}
	check("builtin.Sources", names, docs)
	names, docs = nil, nil
	for _, p := range byName(builtin.Probes, func(p *prober.Probe) string { return p.Name }) {
		names, docs = append(names, p.Name), append(docs, p.Doc)
		if !slices.IsSorted(p.Gives) {
			t.Errorf("probe %q: Gives is not sorted: %q", p.Name, p.Gives)
		}
		for _, word := range p.Gives {
			if fact.Lookup(word) == nil {
				t.Errorf("probe %q gives %q, which is no word", p.Name, word)
			}
		}
	}
	check("builtin.Probes", names, docs)
	all := names
	names, docs = nil, nil
	for _, s := range byName(builtin.Searches, func(s *prober.Search) string { return s.Name }) {
		names, docs = append(names, s.Name), append(docs, s.Doc)
		if !slices.IsSorted(s.Gives) {
			t.Errorf("search %q: Gives is not sorted: %q", s.Name, s.Gives)
		}
		for _, word := range s.Gives {
			if fact.Lookup(word) == nil {
				t.Errorf("search %q gives %q, which is no word", s.Name, word)
			}
		}
	}
	check("builtin.Searches", names, docs)
	for _, k := range builtin.Sources {
		all = append(all, k.Name)
	}
	for _, s := range names {
		if slices.Contains(all, s) {
			t.Errorf("%q is a search and a source or probe", s)
		}
	}
}

// TestLinks: what a page of the documentation links to is there, in the tree or
// below a heading, also where it names this repository on the web; and each
// picture is shown somewhere.
func TestLinks(t *testing.T) {
	const web = `https://(?:raw\.githubusercontent\.com/thingwarden/thingwarden|github\.com/thingwarden/thingwarden/blob)/main/`
	link := regexp.MustCompile(`\]\((?:` + web + `)?([^():\s]*?)(?:#([^)\s]*))?\)`)
	shown := map[string]bool{}
	pages, err := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md").Output()
	if err != nil {
		t.Skip("not a clone: ", err)
	}
	for page := range strings.FieldsSeq(string(pages)) {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(b), -1) {
			target := page
			switch {
			case strings.Contains(m[0], "https://"):
				target = m[1]
			case m[1] != "":
				target = path.Join(path.Dir(page), m[1])
			}
			shown[target] = true
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: dead link %s: %v", page, m[0], err)
			} else if m[2] != "" && !headings(t, target)[m[2]] {
				t.Errorf("%s: dead link %s: %s has no such heading", page, m[0], target)
			}
		}
	}
	pictures, err := filepath.Glob("docs/*.png")
	if err != nil || len(pictures) == 0 {
		t.Fatal("docs has no pictures: ", err)
	}
	for _, p := range pictures {
		if !shown[filepath.ToSlash(p)] {
			t.Errorf("no page shows %s", p)
		}
	}
}

// headings returns the anchors that GitHub gives the headings of a page.
func headings(t *testing.T, page string) map[string]bool {
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	anchors := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && line[0] == '#' {
			plain := regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			anchors[strings.ReplaceAll(plain, " ", "-")] = true
		}
	}
	return anchors
}
