package lab

import (
	"path/filepath"
	"testing"
	"time"
)

// Dnsmasq starts a DHCP server on a host, which leases .100 to .150 of the
// host's segment, and waits until it listens.
func (h *Host) Dnsmasq(t testing.TB) *Proc {
	t.Helper()
	s := h.main.segment
	p := h.Start(t, "dnsmasq",
		"--no-daemon", "--conf-file=/dev/null", "--user=root", "--group=root", "--pid-file=",
		"--port=0", // no DNS
		"--interface="+s.Name, "--bind-interfaces",
		"--dhcp-range="+numbered(s.IPv4, 100).Addr().String()+","+numbered(s.IPv4, 150).Addr().String()+",10m",
		"--dhcp-leasefile="+filepath.Join(t.TempDir(), "leases"),
		"--dhcp-authoritative", "--no-ping", "--log-dhcp", "--log-facility=-")
	p.WaitOutput(t, 30*time.Second, "sockets bound exclusively to interface")
	return p
}
