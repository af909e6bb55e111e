package lab

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// MosquittoConfig says how a Mosquitto broker is set up. The zero value accepts
// everybody on port 1883 and forgets all when it ends.
type MosquittoConfig struct {
	Port     int    // 0 means 1883
	Username string // "" accepts everybody
	Password string
	Persist  bool   // retained messages and sessions survive Stop, and Kill since each change is saved
	Extra    string // more lines of mosquitto.conf
}

// Mosquitto is an MQTT broker that can be stopped, killed and started again.
type Mosquitto struct {
	*Proc // of the last start
	Addr  string

	conf  string
	start func(testing.TB, *exec.Cmd) *Proc
}

// Mosquitto starts a broker on the host and waits until it accepts connections.
func (h *Host) Mosquitto(t testing.TB, cfg MosquittoConfig) *Mosquitto {
	t.Helper()
	if cfg.Port == 0 {
		cfg.Port = 1883
	}
	m := &Mosquitto{Addr: net.JoinHostPort(h.IP().String(), strconv.Itoa(cfg.Port)), start: h.StartCmd}
	m.configure(t, cfg, "0.0.0.0")
	m.Start(t)
	return m
}

// LocalMosquitto starts a broker on a free port of 127.0.0.1, for which no lab
// and no privilege is needed.
func LocalMosquitto(t testing.TB, cfg MosquittoConfig) *Mosquitto {
	t.Helper()
	if cfg.Port == 0 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		cfg.Port = ln.Addr().(*net.TCPAddr).Port
		_ = ln.Close()
	}
	m := &Mosquitto{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(cfg.Port)), start: startLocal}
	m.configure(t, cfg, "127.0.0.1")
	m.Start(t)
	return m
}

// URL returns the broker's address as the agent's configuration spells it.
func (m *Mosquitto) URL() string { return "mqtt://" + m.Addr }

// Start starts the broker, again after Stop or Kill, and waits until it accepts
// connections.
func (m *Mosquitto) Start(t testing.TB) {
	t.Helper()
	m.Proc = m.start(t, command("mosquitto", "-v", "-c", m.conf))
	// The line that names the listener precedes listening; the next one follows it.
	m.WaitOutput(t, 30*time.Second, " running\n")
}

func (m *Mosquitto) configure(t testing.TB, cfg MosquittoConfig, bind string) {
	t.Helper()
	dir := t.TempDir()
	lines := []string{
		fmt.Sprintf("listener %d %s", cfg.Port, bind),
		"user root", // stay who we are, in a user namespace too
		"allow_anonymous " + strconv.FormatBool(cfg.Username == ""),
		"log_dest stderr",
		"persistence " + strconv.FormatBool(cfg.Persist),
	}
	if cfg.Persist {
		lines = append(lines, "persistence_location "+dir+"/", "autosave_interval 1", "autosave_on_changes true")
	}
	if cfg.Username != "" {
		passwords := filepath.Join(dir, "passwords")
		if out, err := exec.Command("mosquitto_passwd", "-b", "-c", passwords, cfg.Username, cfg.Password).CombinedOutput(); err != nil {
			SkipOrFail(t, "lab", "mosquitto_passwd: %v: %s", err, out)
		}
		lines = append(lines, "password_file "+passwords)
	}
	m.conf = filepath.Join(dir, "mosquitto.conf")
	write(t, m.conf, strings.Join(append(lines, cfg.Extra), "\n")+"\n")
}
