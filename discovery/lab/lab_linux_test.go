package lab

import (
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHostsReachEachOther(t *testing.T) {
	l := New(t)
	cam := l.Host("cam")
	for _, to := range []string{cam.IP().String(), cam.IP6().String(), cam.LinkLocal().String() + "%lan0"} {
		ln := cam.Listen("tcp", net.JoinHostPort("", "8080"))
		go func() {
			if c, err := ln.Accept(); err == nil {
				fmt.Fprint(c, "hello")
				c.Close()
			}
		}()
		c, err := l.Hub().Dial("tcp", net.JoinHostPort(to, "8080"))
		if err != nil {
			t.Fatalf("dial %s: %v", to, err)
		}
		if got, err := io.ReadAll(c); err != nil || string(got) != "hello" {
			t.Errorf("read from %s = %q, %v", to, got, err)
		}
		ln.Close()
	}
}

// TestSwitchIsSilent: only hosts are on the network.
func TestSwitchIsSilent(t *testing.T) {
	l := New(t)
	seen := l.Hub().Capture(t)
	cam := l.Host("cam", WithDAD()) // announces its IPv6 addresses
	WaitFor(t, 20*time.Second, "the host's router solicitation or report", func() bool { return seen.Received() > 2 })
	strangers := seen.Frames(func(f Frame) bool {
		return !slices.Equal(f.Src, cam.MAC()) && !slices.Equal(f.Src, l.Hub().MAC())
	})
	if len(strangers) > 0 {
		t.Errorf("frame from %v", strangers[0].Src)
	}
}

func TestHostOptions(t *testing.T) {
	l := New(t)
	h := l.Host("cam", WithMAC("02:11:22:33:44:55"), WithAddrs("10.99.0.77/24"), WithGateway("10.99.0.2"))
	if got := h.Run(t, "ip", "-o", "addr", "show", "dev", "lan0"); !strings.Contains(got, "10.99.0.77/24") || strings.Contains(got, "fd99") {
		t.Errorf("addresses:\n%s", got)
	}
	if got := h.Run(t, "ip", "link", "show", "lan0"); !strings.Contains(got, "02:11:22:33:44:55") {
		t.Errorf("link:\n%s", got)
	}
	if got := h.Run(t, "ip", "route"); !strings.Contains(got, "default via 10.99.0.2 dev lan0") {
		t.Errorf("routes:\n%s", got)
	}
	far := l.Host("far", On(LAN1))
	if _, err := l.Hub().Dial("tcp", net.JoinHostPort(far.IP().String(), "1")); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("dial a closed port on LAN1: %v, want refused", err)
	}
	if _, err := far.Dial("tcp", net.JoinHostPort(h.IP().String(), "1")); err == nil || !strings.Contains(err.Error(), "unreachable") {
		t.Errorf("dial between segments: %v, want unreachable", err)
	}
}

func TestLinkDown(t *testing.T) {
	l := New(t)
	cam := l.Host("cam")
	refused := func() bool {
		var err error
		l.Hub().Do(func() {
			_, err = net.DialTimeout("tcp", net.JoinHostPort(cam.IP().String(), "1"), 200*time.Millisecond)
		})
		return err != nil && strings.Contains(err.Error(), "refused")
	}
	WaitFor(t, 20*time.Second, "a refusal while the link is up", refused)
	cam.LinkDown()
	l.Hub().Run(t, "ip", "neigh", "flush", "dev", "lan0")
	if refused() {
		t.Error("host answers while its link is down")
	}
	cam.LinkUp()
	WaitFor(t, 20*time.Second, "a refusal after the link is up again", refused)
	cam.Remove()
	if refused() {
		t.Error("host answers after it was removed")
	}
}

func TestNothingIsLeft(t *testing.T) {
	const name = "1000.4711" // the argument by which the processes are known
	t.Run("lab", func(t *testing.T) {
		l := New(t)
		p := l.Host("cam").Start(t, "sh", "-c", "sleep "+name+" & wait")
		WaitFor(t, 20*time.Second, "shell and child", func() bool { return processesNamed(t, name) == 2 })
		if !p.Running() {
			t.Error("Running() = false for a process that runs")
		}
	})
	if n := processesNamed(t, name); n != 0 {
		t.Errorf("%d processes are left", n)
	}
}

// processesNamed counts processes with a text in their command line.
func processesNamed(t *testing.T, text string) (n int) {
	t.Helper()
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		b, _ := os.ReadFile("/proc/" + d.Name() + "/cmdline")
		if strings.Contains(string(b), text) {
			n++
		}
	}
	return n
}

func TestRequired(t *testing.T) {
	t.Setenv("TEST_REQUIRE", "lab,e2e")
	for kind, want := range map[string]bool{"lab": true, "e2e": true, "x": false, "": false} {
		if got := Required(kind); got != want {
			t.Errorf("Required(%q) = %v, want %v", kind, got, want)
		}
	}
}
