package main

import (
	"encoding"
	"encoding/json"
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/builtin"
	"github.com/thingwarden/thingwarden/discovery/fact"
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
	for n := range 25 {
		rows[fmt.Sprintf("T%d", n+1)] += "" // has to be there
	}
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

// TestNothingComesFromOutside: no data that judges the home is fetched, and no third
// party is told of it (threats T18 and T19): there is no outside service to switch on,
// no probe that takes one, and no client of HTTP but those that speak to the home.
func TestNothingComesFromOutside(t *testing.T) {
	if n := reflect.TypeFor[config.Outside]().NumField(); n > 0 {
		t.Errorf("%d outside services can be switched on", n)
	}
	for _, p := range builtin.Probes {
		if p.Outside {
			t.Errorf("probe %s tells a third party of the home", p.Name)
		}
	}
	clients := []string{
		"agent/control",               // this machine
		"agent/supervisor",            // Home Assistant's Supervisor
		"discovery/internal/wsjson",   // bridges and Home Assistant, at the owner's addresses
		"discovery/source/sourcetest", // tests
	}
	for _, p := range packages(t) {
		if slices.Contains(clients, p.path()) || strings.HasPrefix(p.path(), "packaging") || strings.HasPrefix(p.path(), "discovery/lab") {
			continue
		}
		for _, f := range sources(t, p) {
			ast.Inspect(f.ast, func(n ast.Node) bool {
				s, ok := n.(*ast.SelectorExpr)
				if ok && isIdent(s.X, "http") && slices.Contains([]string{"Get", "Head", "Post", "PostForm", "Transport", "DefaultClient", "DefaultTransport"}, s.Sel.Name) {
					t.Errorf("%s: %s is a client of HTTP", f.at(s), s.Sel.Name)
				}
				return true
			})
		}
	}
}

// TestObservationsHaveNoWireForm: no other machine can report devices as one of our
// own sources (threat T25): what sources report can't be read from a message.
func TestObservationsHaveNoWireForm(t *testing.T) {
	o := reflect.TypeFor[discovery.Observation]()
	for f := range o.Fields() {
		if f.Tag.Get("json") != "" || f.Tag.Get("yaml") != "" {
			t.Errorf("Observation.%s has a name in messages", f.Name)
		}
	}
	for _, typ := range []reflect.Type{reflect.PointerTo(o), reflect.TypeFor[*fact.Evidence]()} {
		if typ.Implements(reflect.TypeFor[json.Unmarshaler]()) || typ.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
			t.Errorf("%v can be read from a message", typ)
		}
	}
}
