package store

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/agent/home"
	"github.com/thingwarden/thingwarden/policy"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func testStore(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestDecisionsSurvive(t *testing.T) {
	s := testStore(t)
	want, err := ReadDecisions(s.dir, noon)
	if err != nil {
		t.Fatal(err)
	}
	k := &home.Known{FirstSeen: noon, Trusted: true, Appeared: true}
	want.Devices["mac_02000000000a"] = k
	k.Accepted = map[string]policy.Acceptance{"telnet-open": {
		Reason: "old recorder", At: noon, Until: noon.Add(time.Hour), Severity: policy.High, Items: []string{"a=b"}}}
	want.Hidden["mac_02000000000b"] = noon
	if err := s.Write(DecisionsFile, mustJSON(t, want)); err != nil {
		t.Fatal(err)
	}
	got, err := ReadDecisions(s.dir, noon.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	info, err := os.Stat(filepath.Join(s.dir, DecisionsFile))
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("mode %v, want 0600: the list of weaknesses is a map for a burglar", mode)
	}
}

func TestUnusableDecisionsStopTheStart(t *testing.T) {
	good := string(mustJSON(t, home.NewDecisions(noon)))
	for _, tt := range []struct{ name, in, want string }{
		{"cut in half", good[:len(good)/2], "is damaged"},
		{"empty", "", "is damaged"},
		{"newer version", strings.Replace(good, `"version":2`, `"version":99`, 1), "newer version"},
		{"another file", `{"hello":"world"}`, "is damaged"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := testStore(t)
			path := filepath.Join(s.dir, DecisionsFile)
			if err := os.WriteFile(path, []byte(tt.in), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := ReadDecisions(s.dir, noon)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want one that names the file and says %q", err, tt.want)
			}
			if left, _ := os.ReadFile(path); string(left) != tt.in {
				t.Error("the file was changed")
			}
		})
	}
}

func TestUnusableStateIsSetAside(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"cut in half", `{"version":1,"devices":[{"id":"mac_`, "is damaged"},
		{"newer version", `{"version":99}`, "newer version"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := testStore(t)
			if err := os.WriteFile(filepath.Join(s.dir, StateFile), []byte(tt.in), 0o600); err != nil {
				t.Fatal(err)
			}
			st, notice, err := s.ReadState(noon)
			if err != nil || st != nil {
				t.Fatalf("state %v, error %v; want neither", st, err)
			}
			if !strings.Contains(notice, tt.want) {
				t.Errorf("notice %q does not say %q", notice, tt.want)
			}
			aside, _ := filepath.Glob(filepath.Join(s.dir, StateFile+".unusable-*"))
			if len(aside) != 1 {
				t.Fatalf("set aside: %v, want one file", aside)
			}
			if b, _ := os.ReadFile(aside[0]); string(b) != tt.in {
				t.Error("what was set aside differs")
			}
		})
	}
}

func TestOneAgentAFolder(t *testing.T) {
	s := testStore(t)
	_, err := Open(s.dir)
	if err == nil || !strings.Contains(err.Error(), "another Thingwarden uses it") {
		t.Fatalf("error %v, want that another one uses the folder", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(s.dir)
	if err != nil {
		t.Fatalf("after the first has ended: %v", err)
	}
	again.Close()
}

func TestWriteToAFullOrMissingFolderKeepsTheOldFile(t *testing.T) {
	s := testStore(t)
	if err := s.Write(DecisionsFile, []byte("old")); err != nil {
		t.Fatal(err)
	}
	missing := &Store{dir: filepath.Join(s.dir, "gone")}
	if err := missing.Write(DecisionsFile, []byte("new")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want one that the folder is missing", err)
	}
	if b, _ := os.ReadFile(filepath.Join(s.dir, DecisionsFile)); string(b) != "old" {
		t.Errorf("file holds %q, want the old text", b)
	}
}

func TestSweepRemovesWhatACrashLeft(t *testing.T) {
	dir := t.TempDir()
	stray := filepath.Join(dir, "."+DecisionsFile+".tmp-123")
	if err := os.WriteFile(stray, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := os.Stat(stray); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("stray file is still there: %v", err)
	}
}
