package broker

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

func startEmbedded(t *testing.T, listen, file string) *Embedded {
	t.Helper()
	e, err := StartEmbedded(listen, file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func TestEmbeddedTakesTheNextPortAndKeepsItsCredentials(t *testing.T) {
	file := filepath.Join(t.TempDir(), "broker-credentials")
	one := startEmbedded(t, "127.0.0.1:0", file)
	two := startEmbedded(t, one.Addr, file)
	if one.Addr == two.Addr || one.Moved || !two.Moved {
		t.Errorf("addresses %s (moved %v) and %s (moved %v)", one.Addr, one.Moved, two.Addr, two.Moved)
	}
	if one.Password == "" || one.Password != two.Password {
		t.Error("the second start made another password")
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestEmbeddedLetsOneUserIn(t *testing.T) {
	e := startEmbedded(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "c"))
	for _, tt := range []struct {
		name, user, password string
		ok                   bool
	}{
		{"its user", e.Username, e.Password, true},
		{"wrong password", e.Username, e.Password + "x", false},
		{"no password", e.Username, "", false},
		{"another user", "x", e.Password, false},
		{"nobody", "", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + e.Addr).SetUsername(tt.user).SetPassword(tt.password))
			defer c.Disconnect(0)
			tok := c.Connect()
			if !tok.WaitTimeout(10*time.Second) || (tok.Error() == nil) != tt.ok {
				t.Errorf("connecting: %v, want ok %v", tok.Error(), tt.ok)
			}
		})
	}
}

func TestEmbeddedBadInput(t *testing.T) {
	for _, tt := range []struct{ name, listen, file, want string }{
		{"no port", "127.0.0.1", "", `reading the address "127.0.0.1"`},
		{"bad port", "127.0.0.1:mqtt", "", `port "mqtt" is no number`},
		{"foreign address", "192.0.2.1:1883", "", "192.0.2.1:1883"},
		{"damaged file", "127.0.0.1:0", "username: x\nhunter2\n", ":2: not a user name or password"},
		{"half a file", "127.0.0.1:0", "username: x\n", "user name or password is missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "c")
			if tt.file != "" {
				if err := os.WriteFile(file, []byte(tt.file), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			e, err := StartEmbedded(tt.listen, file, slog.New(slog.DiscardHandler))
			if err == nil {
				_ = e.Close()
				t.Fatal("was taken")
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %q, want %q in it", err, tt.want)
			}
		})
	}
}
