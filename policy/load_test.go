package policy

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func core(t testing.TB) *Set {
	t.Helper()
	s, err := Load(Options{}, Builtin()...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func pack(name string, files map[string]string) Pack {
	fsys := fstest.MapFS{}
	for f, text := range files {
		fsys[f] = &fstest.MapFile{Data: []byte(text)}
	}
	return Pack{Name: name, FS: fsys, Dir: name}
}

// good is a policy that loads; tests change it.
const good = `id: x
title: A title
severity: low
confidence: sure
rules: []
when: device.ip_reachable
require: "!telnet.open"
summary: What is wrong.
remedy: What to do.
refs: [A standard]
examples:
  - {facts: {device.ip_reachable: true, telnet.open: true}, want: fail}
  - {facts: {device.ip_reachable: true, telnet.open: false}, want: pass}
  - {facts: {device.ip_reachable: true}, want: unknown}
  - {facts: {device.ip_reachable: false}, want: notapplicable}
`

func TestBuiltin(t *testing.T) {
	want := []string{
		"homekit-unpaired", "http-basic-clear", "matter-window-open", "new-device", "telnet-open", "zigbee-default-key",
		"zigbee-join-open", "zigbee-unknown-device", "zwave-inclusion-open", "zwave-lock-not-ac", "zwave-no-security", "zwave-s0",
	}
	var got []string
	for _, p := range core(t).Policies() {
		got = append(got, p.ID)
		if p.Pack != "core" || p.File != "packs/core/"+p.ID+".yaml" {
			t.Errorf("%s: pack %q, file %q", p.ID, p.Pack, p.File)
		}
	}
	for _, id := range want {
		if !slices.Contains(got, id) {
			t.Errorf("%s is missing", id)
		}
	}
}

func TestFields(t *testing.T) {
	s, err := Load(Options{}, pack("p", map[string]string{"x.yaml": `id: x
title: A title
severity:
  - {if: known("telnet.port"), then: critical}
  - {if: telnet.port == 23, then: high}
  - medium
confidence: likely
rules: [4, 2]
when: true
require: "!telnet.open"
after: [telnet]
settle: 90s
summary: >-
  What is
  wrong.
remedy: |
  1. One.
  2. Two.
refs: [A, B]
examples:
  - {facts: {telnet.open: true, telnet.port: 23, device.first_seen: 2026-01-02T03:04:05+01:00}, want: fail, severity: critical}
  - {facts: {telnet.open: false, mdns.services: [_a._tcp]}, finished: [telnet], now: 2026-02-01T00:00:00Z, want: pass}
  - {facts: {telnet.open: null}, want: unknown}
`}))
	if err != nil {
		t.Fatal(err)
	}
	want := &Policy{
		ID: "x", Title: "A title", Confidence: Likely, Rules: []int{2, 4}, When: "true", Require: "!telnet.open",
		Severity: []Case{{If: `known("telnet.port")`, Then: Critical}, {If: "telnet.port == 23", Then: High}, {Then: Medium}},
		After:    []string{"telnet"}, Settle: 90 * time.Second, Summary: "What is wrong.", Remedy: "1. One.\n2. Two.",
		Refs: []string{"A", "B"}, Pack: "p", File: "p/x.yaml", Words: []string{"telnet.open", "telnet.port"},
		Examples: []Example{
			{Facts: map[string]any{"telnet.open": true, "telnet.port": int64(23), "device.first_seen": time.Date(2026, 1, 2, 2, 4, 5, 0, time.UTC)},
				Now: exampleNow, Want: Fail, Severity: Critical},
			{Facts: map[string]any{"telnet.open": false, "mdns.services": []string{"_a._tcp"}}, Known: []string{"telnet"},
				Now: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), Want: Pass},
			{Facts: map[string]any{"telnet.open": nil}, Now: exampleNow, Want: Unknown},
		},
	}
	if d := cmp.Diff(want, s.Policy("x")); d != "" {
		t.Error(d)
	}
	if s.Policy("y") != nil {
		t.Error("there is a policy y")
	}
}

func TestPacks(t *testing.T) {
	a := pack("a", map[string]string{"x.yaml": good, "y.yaml": strings.Replace(good, "id: x", "id: y", 1), "lang/de.yaml": "not: read", "notes.txt": "not read"})
	b := pack("b", map[string]string{"x.yaml": strings.Replace(good, "A title", "Another title", 1)})
	for _, tt := range []struct {
		name  string
		opt   Options
		packs []Pack
		want  []string
		err   string
	}{
		{"two of one pack", Options{}, []Pack{a}, []string{"a x A title", "a y A title"}, ""},
		{"a later pack overrides", Options{}, []Pack{a, b}, []string{"b x Another title", "a y A title"}, ""},
		{"the order counts", Options{}, []Pack{b, a}, []string{"a x A title", "a y A title"}, ""},
		{"disabled", Options{Disable: []string{"x"}}, []Pack{a, b}, []string{"a y A title"}, ""},
		{"disable what is not there", Options{Disable: []string{"telnet-opn", "x"}}, Builtin(), nil,
			"disable: unknown policy \"telnet-opn\": did you mean \"telnet-open\"?\ndisable: unknown policy \"x\""},
		{"disable by the first word", Options{Disable: []string{"telnet", "tel"}}, Builtin(), nil,
			"disable: unknown policy \"telnet\": did you mean \"telnet-open\"?\ndisable: unknown policy \"tel\""},
		{"empty folder", Options{}, []Pack{pack("e", nil)}, nil, "e: no policies (*.yaml) in this folder"},
		{"no policy in the folder", Options{}, []Pack{pack("e", map[string]string{"a.txt": ""})}, nil, "e: no policies (*.yaml) in this folder"},
		{"other extension", Options{}, []Pack{pack("e", map[string]string{"x.yml": good})}, nil, "e/x.yml: policies end in .yaml: rename the file"},
		{"too large", Options{}, []Pack{pack("e", map[string]string{"x.yaml": good + strings.Repeat("#\n", maxFile)})}, nil,
			"e/x.yaml: 131" /* … bytes */},
		{"same id twice", Options{}, []Pack{pack("e", map[string]string{"x.yaml": good, "z.yaml": good})}, nil,
			"e/z.yaml:1:5: id: \"x\" is not the name of the file, \"z\"\ne/z.yaml:1:5: id: policy \"x\" is in e/x.yaml already"},
		{"all errors of all files", Options{}, []Pack{pack("e", map[string]string{"x.yaml": good + "a: 1\nb: 2\n"}), pack("f", map[string]string{"x.yaml": "[]"})}, nil,
			"e/x.yaml:16:1: a: unknown key\ne/x.yaml:17:1: b: unknown key\nf/x.yaml:1:1: want keys and values, got a list"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Load(tt.opt, tt.packs...)
			if tt.err != "" {
				if err == nil || !strings.HasPrefix(err.Error(), tt.err) {
					t.Fatalf("error\n%v\nwant\n%s", err, tt.err)
				}
				if s != nil {
					t.Error("there is a set beside the error")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range s.Policies() {
				got = append(got, p.Pack+" "+p.ID+" "+p.Title)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestLoadDir(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadDir(filepath.Join(dir, "absent")); err == nil {
		t.Error("a folder that is not there is loaded")
	}
	if err := os.WriteFile(filepath.Join(dir, "x.yaml"), []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Policy("x").File; got != filepath.ToSlash(dir)+"/x.yaml" {
		t.Errorf("file %q", got)
	}
}

// Each file of testdata/bad is a policy with one or more mistakes; its first
// lines are the errors to expect, after "# want: ".
func TestBadPolicies(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".yaml"), func(t *testing.T) {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for l := range strings.SplitSeq(string(b), "\n") {
				if w, ok := strings.CutPrefix(l, "# want: "); ok {
					want = append(want, "bad/"+filepath.Base(f)+":"+w)
				}
			}
			_, err = Load(Options{}, pack("bad", map[string]string{filepath.Base(f): string(b)}))
			if err == nil {
				t.Fatal("it loads")
			}
			if d := cmp.Diff(strings.Join(want, "\n"), err.Error()); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDidYouMean(t *testing.T) {
	known := []string{"telnet.open", "telnet.port", "http.open"}
	for _, tt := range []struct{ name, in, want string }{
		{"one letter short", "telnet.opn", `: did you mean "telnet.open"?`},
		{"swapped", "telnet.oepn", `: did you mean "telnet.open"?`},
		{"far", "zigbee.role", ""},
		{"empty", "", ""},
		{"long", strings.Repeat("x", 1000), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := didYouMean(tt.in, known); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Titles are names of entities, texts are for people.
func TestTexts(t *testing.T) {
	for _, p := range core(t).Policies() {
		for name, s := range map[string]string{"title": p.Title, "summary": p.Summary, "remedy": p.Remedy} {
			if r, _ := utf8.DecodeRuneInString(s); r >= 'a' && r <= 'z' {
				t.Errorf("%s: %s begins with a small letter", p.ID, name)
			}
			if strings.Contains(s, "  ") {
				t.Errorf("%s: %s has two spaces in a row", p.ID, name)
			}
		}
		if !strings.HasSuffix(p.Summary, ".") || !strings.HasSuffix(p.Remedy, ".") {
			t.Errorf("%s: a text does not end in a full stop", p.ID)
		}
	}
}

func TestSeverityText(t *testing.T) {
	for s := Info; s <= Critical; s++ {
		b, _ := s.MarshalText()
		var got Severity
		if err := got.UnmarshalText(b); err != nil || got != s {
			t.Errorf("%d: %q gives %d, %v", s, b, got, err)
		}
	}
	var none Severity
	if err := none.UnmarshalText(nil); err != nil || none.String() != "" {
		t.Errorf("no severity: %v, %q", err, none)
	}
	if err := none.UnmarshalText([]byte("grave")); err == nil {
		t.Error("grave is a severity")
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(good))
	for _, glob := range []string{"testdata/bad/*.yaml", "packs/*/*.yaml"} {
		files, err := filepath.Glob(glob)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range files {
			b, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	c, err := newCompiler()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > maxFile {
			return
		}
		start := time.Now()
		r, problems := parse(c, "p", "p/x.yaml", data)
		if took := time.Since(start); took > 10*time.Second {
			t.Fatalf("took %s", took)
		}
		lines := 2
		for _, b := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} { // YAML's line breaks
			lines += strings.Count(string(data), b)
		}
		for _, p := range problems.all {
			if p.line < 1 || p.line > lines || p.col < 1 {
				t.Fatalf("%d:%d is no place in the file: %s", p.line, p.col, p.what)
			}
		}
		for _, err := range problems.errors() {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("an error of two lines: %q", err)
			}
		}
		if len(problems.all) == 0 && r.policy.ID != "x" {
			t.Fatalf("loaded with id %q", r.policy.ID)
		}
	})
}
