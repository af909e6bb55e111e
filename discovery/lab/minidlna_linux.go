package lab

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// minidlnaPort is the daemon's own choice.
const minidlnaPort = 8200

// Minidlna starts MiniDLNA on the host, a media server that announces itself by
// SSDP under the given name, and waits until it answers. Its location is
// http://<IP>:8200/rootDesc.xml.
func (h *Host) Minidlna(t testing.TB, name string) *Proc {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"media", "db"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	conf := filepath.Join(dir, "minidlna.conf")
	write(t, conf, strings.Join([]string{
		"network_interface=" + h.main.segment.Name, fmt.Sprintf("port=%d", minidlnaPort), "friendly_name=" + name,
		"media_dir=" + filepath.Join(dir, "media"), "db_dir=" + filepath.Join(dir, "db"), "log_dir=" + dir, "inotify=no", "notify_interval=60",
	}, "\n")+"\n")
	p := h.Start(t, "minidlnad", "-S", "-f", conf, "-P", filepath.Join(dir, "pid"))
	WaitFor(t, 30*time.Second, "minidlna", func() bool {
		c, err := h.Dial("tcp", net.JoinHostPort(h.IP().String(), fmt.Sprint(minidlnaPort)))
		if err != nil {
			return false
		}
		_ = c.Close()
		return true
	})
	return p
}
