package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestOneVersion: whatever names the version of Thingwarden names the newest of
// the changelog.
func TestOneVersion(t *testing.T) {
	heading := regexp.MustCompile(`(?m)^## \[(\d[^]]*)\] - (unreleased|20\d\d-\d\d-\d\d)$`)
	find := func(file string, pattern *regexp.Regexp) string {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := pattern.FindSubmatch(b)
		if m == nil {
			t.Fatalf("%s: nothing fits %q", file, pattern)
		}
		return string(m[1])
	}
	want := find("CHANGELOG.md", heading)
	apps, err := filepath.Glob("ha-addon/*/config.yaml")
	if err != nil || len(apps) < 2 {
		t.Fatalf("apps %q, error %v; want both", apps, err)
	}
	for _, app := range apps {
		if got := find(app, regexp.MustCompile(`(?m)^version: "(.*)"$`)); got != want {
			t.Errorf("%s: version %q; CHANGELOG.md has %q", app, got, want)
		}
		log := filepath.Join(filepath.Dir(app), "CHANGELOG.md")
		if got := find(log, heading); got != want {
			t.Errorf("%s: version %q; CHANGELOG.md has %q", log, got, want)
		}
	}
}

// TestWorkflowsArePinned: what others may change under a name does not run with
// the rights of this repository, and every workflow says which rights it has.
func TestWorkflowsArePinned(t *testing.T) {
	files, err := filepath.Glob(".github/workflows/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("workflows %q, error %v", files, err)
	}
	uses := regexp.MustCompile(`uses: (\S.*)`)
	pinned := regexp.MustCompile(`^(\./\S+|\S+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$`)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range uses.FindAllSubmatch(b, -1) {
			if !pinned.Match(m[1]) {
				t.Errorf("%s: %q is not pinned to a commit, with its version as comment", file, m[1])
			}
		}
		if !regexp.MustCompile(`(?m)^permissions:`).Match(b) {
			t.Errorf("%s has no permissions of its own", file)
		}
	}
}
