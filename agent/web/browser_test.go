package web

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestInBrowser looks at every screen in a real browser: axe-core finds nothing,
// nothing scrolls sideways, no script fails. It needs Chromium, Node.js and what
// testdata/browser/install.sh installs; without them it is skipped, or fails if the
// environment variable TEST_REQUIRE names "e2e". It takes pictures if PICTURES names
// a folder.
func TestInBrowser(t *testing.T) {
	packages := browserPackages(t)
	addr := serve(t, newFixture(t, snapshot()))
	cmd := exec.CommandContext(t.Context(), "node", "testdata/page.mjs", "http://"+addr+"/", "mac_020000000001", os.Getenv("PICTURES"))
	cmd.Env = append(os.Environ(), "PASSWORD="+goodPassword, "PLAYWRIGHT="+packages)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		t.Error(strings.TrimSpace(line))
	}
}

// browserPackages returns the folder with playwright-core and axe-core, and ends
// the test if they or the browser are missing.
func browserPackages(t *testing.T) string {
	t.Helper()
	lock, err := os.ReadFile("testdata/browser/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "thingwarden-test", fmt.Sprintf("browser-%x", sha256.Sum256(lock))[:len("browser-")+12])
	_, missing := os.Stat(filepath.Join(dir, "installed"))
	for _, program := range []string{"chromium", "node"} {
		if _, err := exec.LookPath(program); err != nil {
			missing = err
		}
	}
	switch {
	case missing == nil:
		return dir
	case strings.Contains(os.Getenv("TEST_REQUIRE"), "e2e"):
		t.Fatalf("the browser is not installed (make lab-deps): %v", missing)
	default:
		t.Skipf("the browser is not installed (make lab-deps): %v", missing)
	}
	return ""
}
