package lab

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Udhcpc runs a DHCP client on a host made with WithAddrs(), as most small
// devices do, until it has a lease, and returns the address. The host name and
// vendor class (options 12 and 60) are sent unless empty.
func (h *Host) Udhcpc(t testing.TB, hostname, vendorClass string) netip.Addr {
	t.Helper()
	script := filepath.Join(t.TempDir(), "lease")
	write(t, script, "#!/bin/sh\n[ \"$1\" = bound ] || exit 0\nip addr add \"$ip/$mask\" dev \"$interface\" && echo \"got address: $ip;\"\n")
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	args := []string{"udhcpc", "-f", "-i", h.main.segment.Name, "-s", script, "-t", "10", "-T", "1", "-A", "1"}
	if hostname != "" {
		args = append(args, "-x", "hostname:"+hostname)
	}
	if vendorClass != "" {
		args = append(args, "-V", vendorClass)
	}
	p := h.Start(t, "busybox", args...)
	p.WaitOutput(t, 30*time.Second, ";\n")
	_, after, _ := strings.Cut(p.Output(), "got address: ")
	text, _, _ := strings.Cut(after, ";")
	addr, err := netip.ParseAddr(text)
	if err != nil {
		t.Fatalf("lease %q: %v", text, err)
	}
	h.main.addrs = append(h.main.addrs, netip.PrefixFrom(addr, h.main.segment.IPv4.Bits()))
	return addr
}
