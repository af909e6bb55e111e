package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/thingwarden/thingwarden/discovery"
)

// TestThreats checks that every threat of SECURITY.md has tests, and that those
// that it names are there: functions, or recorded exchanges that are run.
func TestThreats(t *testing.T) {
	text, err := os.ReadFile("SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| (T\d+) \|.*\| ([^|]*) \|$`).FindAllStringSubmatch(string(text), -1) {
		rows[row[1]] = row[2]
	}
	for n := range 17 {
		rows[fmt.Sprintf("T%d", n+1)] += "" // has to be there
	}
	rows["T24"] += ""
	for threat, named := range rows {
		tests := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(named, -1)
		if len(tests) == 0 {
			t.Errorf("threat %s has no test in SECURITY.md", threat)
		}
		for _, name := range tests {
			if !exists(t, name[1]) {
				t.Errorf("threat %s: there is no test %q", threat, name[1])
			}
		}
	}
}

// exists reports whether there is a file, or a test of a package: "dir/TestX".
func exists(t *testing.T, name string) bool {
	t.Helper()
	dir, test := filepath.Split(name)
	if !strings.HasPrefix(test, "Test") {
		_, err := os.Stat(name)
		return err == nil
	}
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "\nfunc "+test+"(") {
			return true
		}
	}
	return false
}

// TestSourcesCannotPublish: what sources get of MQTT is enough to listen (threat T11).
func TestSourcesCannotPublish(t *testing.T) {
	mqtt := reflect.TypeFor[discovery.MQTT]()
	for method := range mqtt.Methods() {
		if name := method.Name; name != "Subscribe" && name != "Connected" {
			t.Errorf("sources can %s", name)
		}
	}
}
