package prober

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// open opens a UDP port as another program does.
func open(t *testing.T, port int, flags ...int) *net.UDPConn {
	t.Helper()
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var errs []error
		err := raw.Control(func(fd uintptr) {
			for _, f := range flags {
				errs = append(errs, unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, f, 1))
			}
		})
		return errors.Join(append(errs, err)...)
	}}
	c, err := lc.ListenPacket(context.Background(), "udp4", fmt.Sprintf(":%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.(*net.UDPConn)
}

func portOf(c net.PacketConn) int { return c.LocalAddr().(*net.UDPAddr).Port }

// flood sends numbered datagrams to a port of this machine.
func flood(t *testing.T, port, n int, every time.Duration) {
	t.Helper()
	for i := range n {
		c, err := net.Dial("udp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(c, "%d", i) // refused while nobody listens
		_ = c.Close()
		time.Sleep(every)
	}
}

func received(t *testing.T, c *net.UDPConn) (n int) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	for b := make([]byte, 100); ; n++ {
		if _, err := c.Read(b); err != nil {
			return n
		}
	}
}

// A program that has a search's port keeps it, however it opened it, and gets every
// datagram.
func TestPortOfAnotherProgram(t *testing.T) {
	for _, tt := range []struct {
		name  string
		flags []int
	}{
		{"plain", nil},
		{"SO_REUSEADDR", []int{unix.SO_REUSEADDR}},
		{"both", []int{unix.SO_REUSEADDR, unix.SO_REUSEPORT}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			other := open(t, 0, tt.flags...)
			if c, err := NetListenUDP(uint16(portOf(other))); !errors.Is(err, ErrPortInUse) {
				t.Errorf("opened %v, error %v, want %v", c, err, ErrPortInUse)
			}
			flood(t, portOf(other), 20, 0)
			if n := received(t, other); n != 20 {
				t.Errorf("%d datagrams received, want 20", n)
			}
		})
	}
}

// A program that starts while a search has the port gets it, and the search lets go.
func TestPortIsGivenUp(t *testing.T) {
	free := open(t, 0)
	port := portOf(free)
	_ = free.Close()
	c, err := NetListenUDP(uint16(port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // closed already
	other := open(t, port, unix.SO_REUSEADDR)
	flood(t, port, 20, 10*time.Millisecond)
	if n := received(t, other); n != 20 {
		t.Errorf("%d datagrams received, want 20", n)
	}
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	for b := make([]byte, 100); err == nil; {
		_, _, err = c.ReadFrom(b)
	}
	if !errors.Is(err, ErrPortInUse) {
		t.Errorf("the search's socket: %v, want %v", err, ErrPortInUse)
	}
}
