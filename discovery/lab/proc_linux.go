package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Proc is a process on a host.
type Proc struct {
	Cmd *exec.Cmd

	name string
	out  output
	done chan struct{} // closed when the process has ended
	err  error         // of Wait; valid once done is closed
}

// output is a process's standard output and error, which can be read while it runs.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// Start runs a program on the host until the test ends; then it and its process
// group are killed, and its output is logged if the test failed. A program that
// is not installed skips the test, or fails it when TEST_REQUIRE names "lab".
func (h *Host) Start(t testing.TB, name string, args ...string) *Proc {
	t.Helper()
	return h.StartCmd(t, command(name, args...))
}

// command is exec.Command, and finds daemons too when an ordinary user's PATH
// lacks their folders, unless TEST_REQUIRE names "path".
func command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	if Required("path") {
		return cmd
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if cmd.Err == nil {
			break
		}
		cmd = exec.Command(filepath.Join(dir, name), args...)
		if _, err := os.Stat(cmd.Path); err != nil {
			cmd.Err = exec.ErrNotFound
		}
	}
	return cmd
}

// StartCmd is like Start for a command with an environment, a folder or input of
// its own. An output of its own is kept, and then not logged.
func (h *Host) StartCmd(t testing.TB, cmd *exec.Cmd) *Proc {
	t.Helper()
	p := prepare(t, cmd, h.Name)
	p.started(t, h.ns.onThread(cmd.Start))
	h.mu.Lock()
	defer h.mu.Unlock()
	h.procs = append(h.procs, p)
	return p
}

// startLocal is StartCmd for a program outside any lab.
func startLocal(t testing.TB, cmd *exec.Cmd) *Proc {
	t.Helper()
	p := prepare(t, cmd, "localhost")
	err := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock: the program dies with its thread
		err <- cmd.Start()
		<-p.done
	}()
	p.started(t, <-err)
	return p
}

func prepare(t testing.TB, cmd *exec.Cmd, host string) *Proc {
	t.Helper()
	if cmd.Err != nil {
		SkipOrFail(t, "lab", "a program is missing: %s: %v", cmd, cmd.Err)
	}
	p := &Proc{Cmd: cmd, name: host + ": " + strings.Join(cmd.Args, " "), done: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = &p.out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &p.out
	}
	if cmd.Dir == "" {
		// The namespace's thread has a working directory of its own.
		cmd.Dir, _ = os.Getwd()
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	cmd.WaitDelay = time.Second // a grandchild may hold the output open
	return p
}

// started takes the error of the start and sees to the end of the process.
func (p *Proc) started(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		close(p.done)
		t.Fatalf("start %s: %v", p.name, err)
	}
	go func() { p.err = p.Cmd.Wait(); close(p.done) }()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("output of %s:\n%s", p.name, p.Output())
		}
	})
}

// Run runs a program on the host, waits at most 30 seconds for its end and
// returns its output, standard error included. It fails the test if the program
// fails.
func (h *Host) Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	p := h.Start(t, name, args...)
	if err := p.Wait(30 * time.Second); err != nil {
		t.Fatalf("%s: %v\n%s", p.name, err, p.Output())
	}
	return p.Output()
}

// Output returns what the process has written so far.
func (p *Proc) Output() string { return p.out.String() }

// Wait waits for the end of the process and returns an error if it failed or
// still runs after the timeout.
func (p *Proc) Wait(timeout time.Duration) error {
	select {
	case <-p.done:
		return p.err
	case <-time.After(timeout):
		return fmt.Errorf("still running after %v", timeout)
	}
}

// Running reports whether the process has not ended yet.
func (p *Proc) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Signal sends a signal to the process, not to its group.
func (p *Proc) Signal(sig syscall.Signal) error {
	if err := p.Cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", p.name, err)
	}
	return nil
}

// Stop asks the process to end, kills its group after 5 seconds and waits.
func (p *Proc) Stop() {
	_ = p.Signal(syscall.SIGTERM)
	if p.Wait(5*time.Second) != nil {
		p.Kill()
	}
}

// Kill kills the process and its group, and waits.
func (p *Proc) Kill() {
	_ = syscall.Kill(-p.Cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// WaitOutput waits until the process has written a text, and fails the test when
// it ends before or takes longer than the timeout.
func (p *Proc) WaitOutput(t testing.TB, timeout time.Duration, text string) {
	t.Helper()
	WaitFor(t, timeout, fmt.Sprintf("%q from %s", text, p.name), func() bool {
		found := strings.Contains(p.Output(), text)
		if !found && !p.Running() {
			t.Fatalf("%s ended before it wrote %q: %v", p.name, text, p.err)
		}
		return found
	})
}
