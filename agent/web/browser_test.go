package web

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestInBrowser looks at every screen in a real browser: axe-core finds nothing,
// nothing scrolls sideways, no script fails. It runs when PLAYWRIGHT names a folder
// in which the npm packages playwright-core and axe-core are installed, and takes
// pictures if PICTURES names a folder; the browser is Chromium.
func TestInBrowser(t *testing.T) {
	if os.Getenv("PLAYWRIGHT") == "" {
		t.Skip("PLAYWRIGHT names no folder with playwright-core and axe-core")
	}
	addr := serve(t, newFixture(t, snapshot()))
	cmd := exec.CommandContext(t.Context(), "node", "testdata/page.mjs", "http://"+addr+"/", "mac_020000000001", os.Getenv("PICTURES"))
	cmd.Env = append(os.Environ(), "PASSWORD="+goodPassword)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		t.Error(strings.TrimSpace(line))
	}
}
