package neighbours

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

func TestFilterAcceptsWhatIsParsed(t *testing.T) {
	vm, err := bpf.NewVM(neighbourFilter())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bpf.Assemble(append(untagged(), neighbourFilter()...)); err != nil {
		t.Fatal(err)
	}
	rejected := map[string]bool{"bad: tcp": true, "bad: other udp": true, "bad: redirect": true, "bad: unknown type": true}
	for name, b := range frames(t) {
		n, err := vm.Run(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		accepted := n > 0
		if accepted == rejected[name] {
			t.Errorf("%s: accepted = %v", name, accepted)
		}
		if !accepted && !strings.HasPrefix(name, "bad: ") {
			t.Errorf("%s: a good frame is dropped", name)
		}
	}
}

// capabilities returns the effective and permitted capabilities of the thread.
func capabilities(t *testing.T) (unix.CapUserHeader, [2]unix.CapUserData) {
	t.Helper()
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&h, &sets[0]); err != nil {
		t.Fatal(err)
	}
	return h, sets
}

// onThread runs f on a thread of its own that ends with it, after changing the
// capabilities of that thread.
func onThread(t *testing.T, change func(*unix.CapUserData), f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked
		h, sets := capabilities(t)
		change(&sets[0])
		if err := unix.Capset(&h, &sets[0]); err != nil {
			t.Errorf("set capabilities: %v", err)
			return
		}
		f()
	}()
	<-done
}

const netRaw = 1 << unix.CAP_NET_RAW

func TestWithNetRaw(t *testing.T) {
	if _, sets := capabilities(t); sets[0].Permitted&netRaw == 0 {
		t.Skip("NET_RAW is not permitted")
	}
	open := func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
	effective := func() bool { _, sets := capabilities(t); return sets[0].Effective&netRaw != 0 }

	onThread(t, func(c *unix.CapUserData) { c.Effective &^= netRaw }, func() {
		if open() == nil {
			t.Fatal("a raw socket opens without NET_RAW in effect: the test proves nothing")
		}
		if err := withNetRaw(open); err != nil {
			t.Errorf("permitted: %v", err)
		}
		if effective() {
			t.Error("NET_RAW is still in effect afterwards")
		}
		broken := errors.New("broken")
		if err := withNetRaw(func() error { return broken }); !errors.Is(err, broken) || effective() {
			t.Errorf("error of the call = %v; NET_RAW in effect: %v", err, effective())
		}
	})
	onThread(t, func(c *unix.CapUserData) { c.Effective &^= netRaw; c.Permitted &^= netRaw }, func() {
		called := false
		if err := withNetRaw(func() error { called = true; return nil }); !errors.Is(err, errNoNetRaw) || called {
			t.Errorf("not permitted: %v, called %v", err, called)
		}
	})
	onThread(t, func(*unix.CapUserData) {}, func() {
		if err := withNetRaw(func() error { return unix.EPERM }); !errors.Is(err, errNoNetRaw) {
			t.Errorf("denied by something else: %v", err)
		}
		if !effective() {
			t.Error("NET_RAW that was in effect is dropped")
		}
	})
}
