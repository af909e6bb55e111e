package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

// build builds the program once for all tests.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "thingwarden-e2e-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "thingwarden")
	return path, makeBuild(path)
})

// makeBuild builds the program as it is released.
func makeBuild(path string) error {
	cmd := exec.Command("make", "--no-print-directory", "-C", "../..", "build", "OUT="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make build: %w\n%s", err, out)
	}
	return nil
}

func binary(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// agent is a Thingwarden that runs on the hub as the built program.
type agent struct {
	*lab.Proc
	t    testing.TB
	hub  *lab.Host
	file string // its configuration
	dir  string // its state folder
}

// startAgent starts the program with a configuration, to which the state folder
// and the lab's networks are added.
func startAgent(t testing.TB, hub *lab.Host, config string) *agent {
	t.Helper()
	a := &agent{t: t, hub: hub, dir: t.TempDir()}
	a.file = filepath.Join(t.TempDir(), "thingwarden.yaml")
	a.configure(config)
	a.start()
	return a
}

func (a *agent) configure(config string) {
	a.t.Helper()
	config += fmt.Sprintf("\nstate_dir: %s\nnetwork: {prefixes: [%s, %s]}\n", a.dir, lab.LAN0.IPv4, lab.LAN0.IPv6)
	if err := os.WriteFile(a.file, []byte(config), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func (a *agent) start() {
	a.t.Helper()
	a.Proc = a.hub.Start(a.t, binary(a.t), "run", "--config", a.file)
}

// cli runs a command of the program with the agent's configuration, and returns
// what it printed and its exit code.
func (a *agent) cli(args ...string) (stdout string, code int) {
	a.t.Helper()
	return runCLI(a.t, append(args, "--config", a.file)...)
}

// runCLI runs the program on the hub, which this process is.
func runCLI(t testing.TB, args ...string) (stdout string, code int) {
	t.Helper()
	cmd := exec.Command(binary(t), args...)
	var errOut lockedBuffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if failed := new(exec.ExitError); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	if errOut.String() != "" {
		t.Logf("thingwarden %v: %s", args, errOut.String())
	}
	return string(out), cmd.ProcessState.ExitCode()
}
