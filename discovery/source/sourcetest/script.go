package sourcetest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write what the source reports into the scripts")

// Script is how the steps of a script are carried out.
type Script struct {
	World *World
	// Steps are the source's own steps, by the first word of the step's name; the
	// rest of the name and the content of the file are passed. Each script also
	// knows
	//
	//	wait DURATION   time passes
	//	skip            what was written down is not looked at
	//	want            all that was written down since the last want
	Steps map[string]func(arg, data string)
	// Settle is how long the source takes to report what it knows.
	Settle time.Duration
	// HealthFirst is set if health and devices are reported by goroutines that do
	// not wait for each other: health is then compared first.
	HealthFirst bool
	// End is called after the last step; nil does nothing.
	End func()
}

// Scripts plays each file of testdata/script, in a bubble of its own. With the
// flag -update it writes what is reported into the steps that want it.
func Scripts(t *testing.T, begin func(*testing.T) *Script) {
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { begin(t).play(t, file) })
		})
	}
}

func (s *Script) play(t *testing.T, file string) {
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range ar.Files {
		s.step(t, i, &ar.Files[i])
		synctest.Wait()
	}
	if rest := s.World.Take(); rest != "" {
		t.Errorf("reported after the last want:\n%s", rest)
	}
	if s.End != nil {
		s.End()
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *Script) step(t *testing.T, i int, f *txtar.File) {
	what, arg, _ := strings.Cut(f.Name, " ")
	switch do := s.Steps[what]; {
	case do != nil:
		do(arg, strings.TrimSpace(string(f.Data)))
	case what == "wait":
		d, err := time.ParseDuration(arg)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(d)
	case what == "skip":
		synctest.Wait()
		s.World.Take()
	case what == "want":
		time.Sleep(s.Settle)
		synctest.Wait()
		got := s.World.Take()
		if *update {
			f.Data = []byte(got)
		} else if d := cmp.Diff(s.comparable(string(f.Data)), s.comparable(got)); d != "" {
			t.Errorf("step %d (-want +got):\n%s", i, d)
		}
	default:
		t.Fatalf("step %d: unknown step %q", i, f.Name)
	}
}

// comparable is a text without spaces at the ends of lines, and with health first
// where its order says nothing.
func (s *Script) comparable(text string) string {
	var health, devices strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \n") + "\n"
		if s.HealthFirst && strings.HasPrefix(line, "health ") {
			health.WriteString(line)
		} else {
			devices.WriteString(line)
		}
	}
	return health.String() + devices.String()
}
