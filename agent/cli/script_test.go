package cli

import (
	"bytes"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"thingwarden": func() { os.Exit(Main(os.Args[1:], "test", os.Stdout, os.Stderr)) },
	})
}

// The scripts run the whole program as an owner would, without any network.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "../testdata/script",
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("XDG_STATE_HOME", e.WorkDir+"/state-home")
			e.Setenv("XDG_CONFIG_HOME", e.WorkDir+"/config-home")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await": await, "either": either, "conforms": conforms,
		},
	})
}

// await runs a command again until it succeeds, and with -match PATTERN until
// its standard output matches.
func await(ts *testscript.TestScript, neg bool, args []string) {
	pattern := regexp.MustCompile("")
	if len(args) > 2 && args[0] == "-match" {
		pattern, args = regexp.MustCompile("(?m)"+args[1]), args[2:]
	}
	if neg || len(args) == 0 {
		ts.Fatalf("usage: await [-match PATTERN] COMMAND...")
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		err := ts.Exec(args[0], args[1:]...)
		if err == nil && pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%v: not as awaited: %v", args, err)
		}
	}
}

// either runs a command that may succeed or fail.
func either(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: either COMMAND...")
	}
	_ = ts.Exec(args[0], args[1:]...)
}

// conforms checks a file, or standard output, against the schema of scan.
func conforms(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: conforms FILE")
	}
	schema, err := jsonschema.NewCompiler().Compile("../scan.schema.json")
	ts.Check(err)
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(ts.ReadFile(args[0]))))
	ts.Check(err)
	ts.Check(schema.Validate(v))
}
