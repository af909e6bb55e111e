// Package brokertest starts MQTT brokers for tests: a real Mosquitto with a
// password, on the loopback interface and a port of its own.
//
// It is for tests only.
package brokertest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Credentials of every broker of this package.
const (
	Username = "thingwarden"
	Password = "correct-horse"
)

// Mosquitto is a running Mosquitto.
type Mosquitto struct {
	Addr    string
	t       testing.TB
	program string
	dir     string
	conf    string // without further lines
	cmd     *exec.Cmd
	done    chan struct{}
}

// Require skips the test when a program is not installed, or fails it if the
// environment variable TEST_REQUIRE names "lab" or "e2e". It returns the
// program's path.
func Require(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	for word := range strings.SplitSeq(os.Getenv("TEST_REQUIRE"), ",") {
		if word == "lab" || word == "e2e" {
			t.Fatalf("TEST_REQUIRE=%s, but %s is not installed", os.Getenv("TEST_REQUIRE"), program)
		}
	}
	t.Skipf("%s is not installed", program)
	return ""
}

// StartMosquitto starts a Mosquitto that ends with the test. With persistent,
// it keeps retained messages over Stop and Start.
func StartMosquitto(t testing.TB, persistent bool) *Mosquitto {
	t.Helper()
	return StartMosquittoWith(t, persistent, "")
}

// StartMosquittoWith starts a Mosquitto with further lines in its configuration.
func StartMosquittoWith(t testing.TB, persistent bool, lines string) *Mosquitto {
	t.Helper()
	m := &Mosquitto{t: t, program: Require(t, "mosquitto"), dir: t.TempDir(), Addr: freeAddr(t)}
	passwords := filepath.Join(m.dir, "passwords")
	if out, err := exec.Command(Require(t, "mosquitto_passwd"), "-b", "-c", passwords, Username, Password).CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_passwd: %v: %s", err, out)
	}
	_, port, _ := net.SplitHostPort(m.Addr)
	m.conf = fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous false\npassword_file %s\npersistence %t\npersistence_location %s/\nuser root\nlog_dest stderr\n",
		port, passwords, persistent, m.dir)
	m.Configure(lines)
	m.Start()
	t.Cleanup(m.Kill)
	return m
}

// Configure replaces the further lines of the configuration, for the next Start.
func (m *Mosquitto) Configure(lines string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, "mosquitto.conf"), []byte(m.conf+lines+"\n"), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// URL is the broker's address.
func (m *Mosquitto) URL() string { return "mqtt://" + m.Addr }

// Start starts the broker (again) on the same port and waits until it answers.
func (m *Mosquitto) Start() {
	m.t.Helper()
	m.cmd = exec.Command(m.program, "-c", filepath.Join(m.dir, "mosquitto.conf"))
	var log strings.Builder
	m.cmd.Stderr = &log
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait()
		close(done)
	}(m.cmd, m.done)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("tcp", m.Addr); err == nil {
			_ = c.Close()
			return
		}
		select {
		case <-m.done:
			m.t.Fatalf("mosquitto ended: %s", log.String())
		default:
		}
		if time.Now().After(end) {
			m.t.Fatal("mosquitto does not answer")
		}
	}
}

// Stop ends the broker cleanly: with persistence it saves what it holds.
func (m *Mosquitto) Stop() { m.end(os.Interrupt) }

// Kill ends the broker at once.
func (m *Mosquitto) Kill() { m.end(os.Kill) }

func (m *Mosquitto) end(s os.Signal) {
	_ = m.cmd.Process.Signal(s) // it may have ended before
	<-m.done
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
