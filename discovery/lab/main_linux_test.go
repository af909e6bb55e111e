package lab

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ownMainEnv makes the test process run through Main; unset, labs have a hub in
// a namespace of its own.
const ownMainEnv = "THINGWARDEN_LAB_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(ownMainEnv) != "" {
		Main(m)
	}
	os.Exit(m.Run())
}

// TestInsideMain means something only in the process that TestMainMakesTheProcessTheHub starts.
func TestInsideMain(t *testing.T) {
	if os.Getenv(ownMainEnv) == "" {
		t.Skip("runs only through Main")
	}
	for range 2 { // the second lab finds nothing of the first
		t.Run("lab", func(t *testing.T) {
			l := New(t)
			cam := l.Host("cam")
			ln := cam.Listen("tcp", ":80")
			done := make(chan error)
			go func() { // another thread than the test's
				c, err := net.Dial("tcp", net.JoinHostPort(cam.IP().String(), "80"))
				if err == nil {
					err = c.Close()
				}
				done <- err
			}()
			if err := <-done; err != nil {
				t.Error(err)
			}
			_ = ln.Close()
			if _, err := os.Stat("/sys/class/net/lan0"); err != nil {
				t.Error(err)
			}
			if got := l.Hub().Run(t, "ip", "-o", "addr", "show", "dev", "lan0"); !strings.Contains(got, "10.99.0.2/24") {
				t.Errorf("addresses of the hub:\n%s", got)
			}
		})
	}
	ifs, err := net.Interfaces()
	if err != nil || len(ifs) != 1 {
		t.Errorf("interfaces = %v, %v; want lo alone", ifs, err)
	}
}

func TestMainMakesTheProcessTheHub(t *testing.T) {
	New(t) // skips without the right to make labs
	out, err := testProcess("-test.run=^TestInsideMain$", "-test.v").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestInsideMain/lab#01") {
		t.Errorf("run: %v\n%s", err, out)
	}
	if err := testProcess("-test.no-such-flag").Run(); err == nil {
		t.Error("the exit code of a failed run is lost")
	}
}

// TestWithoutRoot runs the tests in "unshare -Urn" and as an ordinary user, for
// whom Main makes a user namespace.
func TestWithoutRoot(t *testing.T) {
	New(t)
	ordinary := []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"}
	tests := []struct {
		name string
		wrap []string
	}{
		{"unshare", []string{"unshare", "-Urn"}},
		{"ordinary user", ordinary},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "ordinary user" {
				if os.Geteuid() != 0 {
					t.Skip("these tests are one already")
				}
				if err := exec.Command(ordinary[0], append(ordinary[1:], "unshare", "-Urn", "true")...).Run(); err != nil {
					t.Skipf("ordinary users can't make user namespaces here: %v", err)
				}
			}
			args := append(tt.wrap, readableCopy(t), "-test.run=^(TestInsideMain|TestHosts)", "-test.v")
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Env = testProcess().Env
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "--- PASS: TestInsideMain/lab#01") {
				t.Errorf("run: %v\n%s", err, out)
			}
		})
	}
}

// readableCopy copies this test program to where every user may run it.
func readableCopy(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(testProcess().Path)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "lab.test")
	if err := os.WriteFile(file, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

// testProcess is this test program again, through Main.
func testProcess(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), ownMainEnv+"=1")
	return cmd
}
