package bridges

import (
	"crypto/sha256"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

//go:embed package-lock.json driver.json *.cjs radio-*.json cache-*.jsonl
var files embed.FS

// installed returns the folder with the node_modules, and ends the test if it is
// not there.
func installed(t testing.TB) string {
	t.Helper()
	lock, err := files.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "thingwarden-test", fmt.Sprintf("bridges-%x", sha256.Sum256(lock))[:len("bridges-")+12])
	if _, err := os.Stat(filepath.Join(dir, "installed")); err != nil {
		lab.SkipOrFail(t, "lab", "Zigbee2MQTT and Z-Wave JS are not installed: run discovery/lab/bridges/install.sh (make lab-deps)")
	}
	return filepath.Join(dir, "node_modules")
}

// put writes an embedded file into a folder and returns its path.
func put(t testing.TB, dir, name string) string {
	t.Helper()
	b, err := files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, dir, name, b)
}

func write(t testing.TB, dir, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
