package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with testdata/<name>.txt.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", file, diff)
	}
}

// fits fails if a line is wider than a terminal, or if anything in the text
// could steer one.
func fits(t *testing.T, text string) {
	t.Helper()
	for i, line := range strings.Split(text, "\n") {
		if n := measure(line); n > columns {
			t.Errorf("line %d is %d columns wide: %q", i+1, n, line)
		}
		if strings.TrimRight(line, " ") != line {
			t.Errorf("line %d ends in spaces: %q", i+1, line)
		}
	}
	for _, r := range strings.ReplaceAll(text, "\n", "") {
		if unicode.In(r, unicode.Cc, unicode.Cf) || r == unicode.ReplacementChar {
			t.Errorf("%U reaches the terminal", r)
		}
	}
}

func TestReport(t *testing.T) {
	tests := []struct {
		name string
		home func(*report.Snapshot)
	}{
		{"report", func(*report.Snapshot) {}},
		{"report-blind", func(s *report.Snapshot) {
			s.Devices, s.Blind = s.Devices[:1], "Nothing of your home network can be seen from here: this machine has no network interface with an address."
			s.Health = []report.Component{{Name: "network", Status: discovery.Down, Error: s.Blind}}
		}},
		{"report-clean", func(s *report.Snapshot) {
			s.Devices, s.Health = []report.Device{s.Devices[0], s.Devices[2]}, nil
			s.Devices[1].Findings = nil
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := testHome(t)
			tt.home(s)
			var b bytes.Buffer
			writeReport(newScreen(&b), s)
			fits(t, b.String())
			golden(t, tt.name, b.String())
		})
	}
}

func TestColorOnlyOnATerminalThatWantsIt(t *testing.T) {
	var plain, colored bytes.Buffer
	writeReport(screen{Writer: &plain, terminal: true}, testHome(t))
	writeReport(screen{Writer: &colored, terminal: true, color: true}, testHome(t))
	if strings.Contains(plain.String(), "\x1b") {
		t.Error("colours without being asked for")
	}
	if !strings.Contains(colored.String(), "\x1b[1;31mcritical\x1b[0m") {
		t.Errorf("no colour for critical:\n%q", colored.String())
	}
	if newScreen(&plain).color || newScreen(io.Discard).terminal {
		t.Error("what is no terminal is taken for one")
	}
}

func scanSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile("../scan.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(t *testing.T, b []byte) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return scanSchema(t).Validate(v)
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := report.WriteJSON(&b, testHome(t), noon, noon.Add(20*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := validate(t, b.Bytes()); err != nil {
		t.Errorf("not as the schema says: %v", err)
	}
	golden(t, "scan.json", b.String())
}

// The schema is closed: what is not described is not allowed, at any depth.
func TestSchemaIsClosed(t *testing.T) {
	var b bytes.Buffer
	if err := report.WriteJSON(&b, testHome(t), noon, noon); err != nil {
		t.Fatal(err)
	}
	for _, path := range [][]string{{}, {"devices", "1"}, {"devices", "1", "findings", "0"}, {"devices", "1", "facts", "telnet.open"},
		{"devices", "1", "sent"}, {"devices", "1", "services", "0"}, {"devices", "3", "not_checked", "0"}, {"health", "0"}} {
		t.Run(strings.Join(path, "."), func(t *testing.T) {
			var v any
			if err := json.Unmarshal(b.Bytes(), &v); err != nil {
				t.Fatal(err)
			}
			at := v
			for _, name := range path {
				switch x := at.(type) {
				case map[string]any:
					at = x[name]
				case []any:
					at = x[int(name[0]-'0')]
				}
			}
			at.(map[string]any)["surprise"] = true
			if err := scanSchema(t).Validate(v); err == nil {
				t.Error("a key that is not described is accepted")
			}
		})
	}
}

// judge is what the agent's core has in a snapshot.
func judge(set *policy.Set, d *report.Device) []policy.Verdict {
	ev := fact.New("", noon)
	for _, f := range d.Facts {
		ev.Put(f)
	}
	all, _ := set.Evaluate(ev, noon.Add(5*time.Minute))
	return slices.DeleteFunc(all, func(v policy.Verdict) bool { return v.Result == policy.NotApplicable && len(v.Missing) == 0 })
}

// What the agent judged is shown, even where the facts alone say less: the agent
// knows more, such as which probes have finished.
func TestExplainDoesNotJudgeAgain(t *testing.T) {
	set := testPolicies(t)
	d := report.Device{Verdicts: []policy.Verdict{{Policy: set.Policy("telnet-open"), Result: policy.Pass}}}
	for _, only := range []string{"", "telnet-open"} {
		var b bytes.Buffer
		e := explanation{w: newScreen(&b), d: &d, now: noon, set: set}
		if only == "" {
			e.device()
		} else {
			e.policy(set.Policy(only))
		}
		if got := b.String(); !strings.Contains(got, "OK           Old-style") || strings.Contains(got, "not checked") {
			t.Errorf("policy %q: the verdict is pass, shown is\n%s", only, got)
		}
	}
}

func TestExplain(t *testing.T) {
	s, set := testHome(t), testPolicies(t)
	tests := []struct {
		name, device, policy string
		all                  bool
	}{
		{"explain", "mac_aabbccddee01", "", false},
		{"explain-all", "mac_aabbccddee01", "", true},
		{"explain-policy", "mac_aabbccddee01", "telnet-open", false},
		{"explain-accepted", "mac_aabbccddee05", "new-device", false},
		{"explain-nothing-known", "mac_aabbccddee04", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := s.Device(discovery.ID(tt.device))
			d.Verdicts = judge(set, d)
			var b bytes.Buffer
			e := explanation{w: newScreen(&b), d: d, now: noon.Add(5 * time.Minute), set: set, all: tt.all}
			if tt.policy == "" {
				e.device()
			} else {
				e.policy(set.Policy(tt.policy))
			}
			fits(t, b.String())
			golden(t, tt.name, b.String())
		})
	}
}

func TestNews(t *testing.T) {
	var b bytes.Buffer
	n := newNews(newScreen(&b))
	s := testHome(t)
	empty := &report.Snapshot{Devices: s.Devices[:1]}
	n.print(empty, noon)
	n.print(s, noon.Add(time.Second))
	n.print(s, noon.Add(2*time.Second)) // nothing new
	n.print(s, noon.Add(6*time.Second)) // the nameless one has waited long enough
	worse := testHome(t)
	worse.Devices[1].Findings[1].Severity = policy.High
	worse.Devices[1].Findings[0].Status = policy.Resolved
	worse.Devices = worse.Devices[:5]
	n.print(worse, noon.Add(7*time.Second))
	empty.Blind = "Nothing can be seen."
	n.print(empty, noon.Add(8*time.Second))
	fits(t, b.String())
	golden(t, "news", b.String())
}

// A log has one line for each new finding and each that is over.
func TestNewsInTheLog(t *testing.T) {
	var b bytes.Buffer
	n := loggedNews(slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})), noon)
	s := testHome(t)
	s.Devices = []report.Device{s.Devices[0], s.Devices[6]}
	old := s.Devices[1].Findings[0]
	old.Policy, old.Since = testPolicies(t).Policy("telnet-open"), noon.Add(-time.Hour)
	s.Devices[1].Findings = append(s.Devices[1].Findings, old)
	n.print(s, noon)
	n.print(s, noon.Add(time.Second))
	fixed := testHome(t)
	fixed.Devices = []report.Device{fixed.Devices[0], fixed.Devices[6]}
	fixed.Devices[1].Findings[0].Status = policy.Resolved
	n.print(fixed, noon.Add(2*time.Second))
	want := `level=INFO msg="\"Coordinator\": Zigbee may use the public sample key (likely) (when the device was last here) (zigbee-default-key)" news=low
level=INFO msg="\"Coordinator\": Zigbee may use the public sample key (zigbee-default-key)" news=resolved
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A wide terminal shows whole names, a narrow one cuts them, and neither text of a
// device nor a line goes beyond its end.
func TestTableTakesTheWidthThereIs(t *testing.T) {
	for _, tt := range []struct {
		width int // of the terminal
		whole bool
	}{{0, false}, {80, false}, {120, false}, {160, true}} {
		var b bytes.Buffer
		w := newScreen(&b)
		w.width = tt.width
		writeDevices(w, testHome(t))
		for line := range strings.Lines(b.String()) {
			if n := measure(strings.TrimSuffix(line, "\n")); n > w.columns() {
				t.Errorf("width %d: a line of %d: %q", tt.width, n, line)
			}
		}
		if got := strings.Contains(b.String(), `"Porch camera with a name that goes on and on and never ends"`); got != tt.whole {
			t.Errorf("width %d: whole name %t, want %t:\n%s", tt.width, got, tt.whole, b.String())
		}
	}
}

func TestExitCode(t *testing.T) {
	blind := testHome(t)
	blind.Blind = "Nothing can be seen."
	clean := testHome(t)
	clean.Devices = clean.Devices[:1]
	tests := []struct {
		name   string
		home   *report.Snapshot
		failOn policy.Severity
		left   int // devices that were not asked
		want   int
	}{
		{"findings, nothing asked", testHome(t), 0, 0, 0},
		{"a finding as severe", testHome(t), policy.Critical, 0, 2},
		{"a finding more severe", testHome(t), policy.Low, 0, 2},
		{"no finding", clean, policy.Info, 0, 0},
		{"nothing seen", blind, policy.Low, 0, 1},
		{"cut off", clean, policy.Info, 1, 3},
		{"cut off, and found", testHome(t), policy.Critical, 1, 2},
		{"cut off, not for a program", clean, 0, 1, 0},
		{"cut off, nothing seen", blind, policy.Info, 1, 1},
	}
	for _, tt := range tests {
		for _, format := range []string{"table", "json"} {
			t.Run(tt.name+" "+format, func(t *testing.T) {
				a := &app{out: newScreen(io.Discard), err: newScreen(io.Discard)}
				if err := a.show(tt.home, scanOptions{format: format, failOn: tt.failOn}, noon, noon, tt.left); err != nil {
					t.Fatal(err)
				}
				if a.code != tt.want {
					t.Errorf("exit code %d, want %d", a.code, tt.want)
				}
			})
		}
	}
}

// What was accepted or is over doesn't fail a scan.
func TestAcceptedFindingsDoNotFail(t *testing.T) {
	s := testHome(t)
	for i := range s.Devices {
		for j := range s.Devices[i].Findings {
			s.Devices[i].Findings[j].Status = []policy.Status{policy.Accepted, policy.Resolved, policy.Lapsed}[j%3]
		}
	}
	if got := worst(s); got != 0 {
		t.Errorf("worst is %s, want none", got)
	}
}

func TestProgressText(t *testing.T) {
	s := testHome(t)
	got := progressText(s, 3, 6, 12*time.Second)
	if want := "12 s left: 6 devices, 3 of 6 asked, 5 findings. Ctrl-C ends it now."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if measure(got) >= columns {
		t.Error("a terminal would break the line")
	}
}

func TestProgressStandsBelowOtherLines(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(screen{Writer: &b, terminal: true}, time.Second)
	p.line("one")
	if _, err := p.Write([]byte("a log line\n")); err != nil {
		t.Fatal(err)
	}
	p.line("two")
	p.line("")
	if want := "one\r\x1b[Ka log line\ntwo\r\x1b[K"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.Reset()
	newProgress(newScreen(&b), time.Second).follow(ctx, nil)
	if b.Len() > 0 {
		t.Errorf("progress without a terminal: %q", b.String())
	}
}

func TestQuote(t *testing.T) {
	tests := []struct {
		in   string
		max  int
		want string
	}{
		{"Porch", 20, `"Porch"`},
		{"Porch camera", 10, `"Porch c…"`},
		{`say "hi"`, 20, `"say 'hi'"`},
		{"厨房の電球", 8, `"厨房…"`},
		{"a\x1b[31mb\nc", 20, `"a[31mb c"`},
		{"", 20, `""`},
	}
	for _, tt := range tests {
		if got := quote(tt.in, tt.max); got != tt.want || measure(got) > tt.max {
			t.Errorf("quote(%q, %d) = %s, want %s", tt.in, tt.max, got, tt.want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add(hostile, 10)
	f.Add("厨房の電球 💡💡💡 e\u0301", 3)
	f.Fuzz(func(t *testing.T, s string, max int) {
		if max < 4 || max > 200 {
			return
		}
		q := quote(s, max)
		if measure(q) > max {
			t.Errorf("quote(%q, %d) = %q is %d wide", s, max, q, measure(q))
		}
		for _, line := range wrap(fact.Clean(s, fact.MaxText), max) {
			if measure(line) > max {
				t.Errorf("wrap(%q, %d) has a line of %d", s, max, measure(line))
			}
		}
		if got, want := strings.Join(strings.Fields(strings.Join(wrap(s, max), "")), ""), strings.Join(strings.Fields(s), ""); got != want {
			t.Errorf("wrap(%q) loses text: %q", s, got)
		}
	})
}
