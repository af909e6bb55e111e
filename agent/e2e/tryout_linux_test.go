package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

// TestRunWithNothingConfigured is what somebody sees who tries Thingwarden out:
// the program says where its broker is, and devices and findings as they come.
func TestRunWithNothingConfigured(t *testing.T) {
	l := lab.New(t)
	startLAN(t, l)
	a := startAgent(t, l.Hub(), "")
	for _, want := range []string{
		"small one for trying out listens on 127.0.0.1:1883",
		"10.99.0.0/24 on lan0",
		"Telnet log-in is open",
		"Password is sent unencrypted",
		"Open for pairing with HomeKit",
	} {
		// The text is wrapped for a terminal.
		lab.WaitFor(t, time.Minute, want, func() bool {
			return strings.Contains(strings.Join(strings.Fields(a.Output()), " "), want)
		})
	}
	info, err := os.Stat(filepath.Join(a.dir, "broker-credentials"))
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("credentials have mode %v, want 0600", mode)
	}
	out, code := a.cli("explain", "10.99.0.10", "telnet-open")
	if code != 0 || !strings.Contains(out, "telnet.open") {
		t.Errorf("explain: exit code %d, %q", code, out)
	}
	t.Logf("\n%s\n%s", a.Output(), out)
}
