// Package packaging_test tests the scripts that make a release.
package packaging_test

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

// changelog is what a changelog begins with on the day of a release.
const changelog = "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-12-01\n\n### Added\n\n- News.\n\n## [1.1.0] - 2026-11-01\n\n- Old.\n"

// TestTagMustFit: what would be released under a wrong name is refused before
// anything is built or removed.
func TestTagMustFit(t *testing.T) {
	for _, tt := range []struct {
		name, tag, file, text, want string
	}{
		{"another version", "v1.3.0", "CHANGELOG.md", changelog, `tag "v1.3.0" is not "v1.2.0"`},
		{"no v", "1.2.0", "CHANGELOG.md", changelog, `tag "1.2.0" is not "v1.2.0"`},
		{"no date", "v1.2.0", "CHANGELOG.md", strings.Replace(changelog, "2026-12-01", "unreleased", 1), "CHANGELOG.md: the heading of 1.2.0 has no date"},
		{"changelog of an app", "v1.2.0", "ha-addon/app/CHANGELOG.md", "## [1.1.0] - 2026-11-01\n", "ha-addon/app/CHANGELOG.md: the heading of 1.2.0 has no date"},
		{"version of an app", "v1.2.0", "ha-addon/app/config.yaml", "version: \"1.1.0\"\n", `ha-addon/app/config.yaml: version is not "1.2.0"`},
		{"all fits but the tree", "v1.2.0", "main.go", "package main\n", "changes that are not committed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name, text string) {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			script, err := os.ReadFile("release.sh")
			if err != nil {
				t.Fatal(err)
			}
			write("packaging/release.sh", string(script))
			write("CHANGELOG.md", changelog)
			write("ha-addon/app/CHANGELOG.md", changelog)
			write("ha-addon/app/config.yaml", "version: \"1.2.0\"\n")
			write("dist/keep", "")
			write(tt.file, tt.text)
			command(t, dir, "git", "init", "-q")
			out, err := exec.Command(filepath.Join(dir, "packaging/release.sh"), "--tag", tt.tag).CombinedOutput()
			if err == nil || !strings.Contains(string(out), tt.want) {
				t.Errorf("error %v, %q; want it refused with %q", err, out, tt.want)
			}
			if _, err := os.Stat(filepath.Join(dir, "dist/keep")); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRelease builds everything twice, in two folders.
func TestRelease(t *testing.T) {
	if !lab.Required("release") {
		t.Skip("builds for minutes; only where TEST_REQUIRE names \"release\"")
	}
	first, second := filepath.Join(t.TempDir(), "dist"), filepath.Join(t.TempDir(), "dist")
	command(t, "..", "packaging/release.sh", first)
	copied := t.TempDir()
	command(t, "..", "sh", "-c", `git ls-files -co --exclude-standard -z | xargs -0 cp --parents -t "$1"`, "sh", copied)
	command(t, copied, "packaging/release.sh", second)

	sums := file(t, first, "SHA256SUMS")
	if d := cmp.Diff(string(sums), string(file(t, second, "SHA256SUMS"))); d != "" {
		t.Errorf("built in another folder, the release differs:\n%s", d)
	}
	var wantSums strings.Builder
	for _, name := range []string{"LICENSE", "THIRD_PARTY_NOTICES", "config.example.yaml", "thingwarden-darwin-amd64", "thingwarden-darwin-arm64", "thingwarden-linux-amd64",
		"thingwarden-linux-arm64", "thingwarden-linux-armv7", "thingwarden-windows-amd64.exe", "thingwarden.service"} {
		fmt.Fprintf(&wantSums, "%x  %s\n", sha256.Sum256(file(t, first, name)), name)
		if strings.HasPrefix(name, "thingwarden-") {
			checkProgram(t, filepath.Join(first, name))
		}
	}
	if d := cmp.Diff(wantSums.String(), string(sums)); d != "" {
		t.Error(d)
	}

	heading := regexp.MustCompile(`(?m)^## \[(\d.*)\]`).FindSubmatch(file(t, "..", "CHANGELOG.md"))
	got := command(t, first, "./thingwarden-linux-"+runtime.GOARCH, "version")
	if want := "thingwarden " + string(heading[1]) + " ("; !strings.HasPrefix(got, want) {
		t.Errorf("the program says %q, want %q", got, want)
	}
	if notes := file(t, first, "RELEASE_NOTES.md"); !bytes.Contains(notes, []byte("\n- ")) || bytes.Contains(notes, []byte("\n## ")) {
		t.Errorf("release notes:\n%s", notes)
	}
	for _, text := range []string{"github.com/hashicorp/mdns v", "\nGo\n"} {
		if !bytes.Contains(file(t, first, "THIRD_PARTY_NOTICES"), []byte(text)) {
			t.Errorf("THIRD_PARTY_NOTICES lacks %q", text)
		}
	}
}

// checkProgram: a program is for the system that its name says, and static.
func checkProgram(t *testing.T, path string) {
	t.Helper()
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]string{}
	for _, s := range info.Settings {
		set[s.Key] = s.Value
	}
	arch := set["GOARCH"]
	if set["GOARM"] != "" {
		arch += "v" + set["GOARM"]
	}
	if name := strings.TrimSuffix(filepath.Base(path), ".exe"); name != "thingwarden-"+set["GOOS"]+"-"+arch {
		t.Errorf("%s was built for %s on %s", name, set["GOOS"], arch)
	}
	if set["CGO_ENABLED"] != "0" || set["-trimpath"] != "true" {
		t.Errorf("%s: built with %v", path, set)
	}
}

func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	c := exec.Command(name, args...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func file(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
