package lab

import (
	"fmt"
	"net"
	"os"
	"testing"
)

// Telnetd offers Telnet on a TCP port of the host with the GNU telnetd and the
// system's login program.
func (h *Host) Telnetd(t testing.TB, port int) {
	t.Helper()
	h.Inetd(t, port, "telnetd")
}

// Inetd runs a program for each connection to a TCP port of the host, with the
// connection as its input and output, as inetd does.
func (h *Host) Inetd(t testing.TB, port int, name string, args ...string) {
	t.Helper()
	if cmd := command(name); cmd.Err != nil {
		SkipOrFail(t, "lab", "a program is missing: %s: %v", cmd, cmd.Err)
	}
	ln := h.Listen("tcp", fmt.Sprintf(":%d", port))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			h.serve(t, conn, name, args)
		}
	}()
	t.Cleanup(func() { _ = ln.Close(); <-ended })
}

// serve gives a connection to a program, which may outlive this call.
func (h *Host) serve(t testing.TB, conn net.Conn, name string, args []string) {
	defer conn.Close()
	file, err := conn.(*net.TCPConn).File()
	if err != nil {
		t.Errorf("connection from %s: %v", conn.RemoteAddr(), err)
		return
	}
	defer file.Close()
	cmd := command(name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = file, file, os.Stderr
	h.StartCmd(t, cmd)
}
