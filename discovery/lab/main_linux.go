package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// isolatedEnv marks a process that Main has put into a namespace.
const isolatedEnv = "LAB_ISOLATED_PROCESS"

func isolated() bool { return os.Getenv(isolatedEnv) != "" }

// Main runs the tests of a package in a process with a network namespace of its
// own, which becomes the hub of the labs that they build: code under test then
// runs on the hub, whatever goroutines it starts. It needs root or the right to
// make user namespaces; without both, tests run as they are and labs skip.
// Use it as: func TestMain(m *testing.M) { lab.Main(m) }.
func Main(m *testing.M) {
	if isolated() {
		_ = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		mountSysfs()
		os.Exit(m.Run())
	}
	code, err := runIsolated()
	if err != nil {
		fmt.Fprintf(os.Stderr, "tests run without a network lab: %v\n", err)
		code = m.Run()
	}
	os.Exit(code)
}

// runIsolated runs this test process again inside new namespaces and returns its
// exit code, or an error if it could not be started.
func runIsolated() (int, error) {
	// The thread must live as long as the child, which dies with it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	exe, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("find own program: %w", err)
	}
	cmd := exec.Command(exe, os.Args[1:]...)
	cmd.Env = append(os.Environ(), isolatedEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start in new namespaces: %w", err)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	err = cmd.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, nil
	case errors.As(err, &exit):
		return max(exit.ExitCode(), 1), nil // -1 when a signal ended it
	default:
		fmt.Fprintf(os.Stderr, "run tests in a namespace: %v\n", err)
		return 1, nil
	}
}
