package broker

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
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

// losing is a broker that loses a session: it acknowledges all and hands nothing on.
type losing struct {
	mochi.HookBase
	on atomic.Bool
}

func (*losing) ID() string           { return "losing" }
func (*losing) Provides(b byte) bool { return b == mochi.OnPublish || b == mochi.OnConnect }

func (l *losing) OnPublish(_ *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if l.on.Load() {
		return pk, packets.CodeSuccessIgnore
	}
	return pk, nil
}

func (l *losing) OnConnect(*mochi.Client, packets.Packet) error {
	l.on.Store(false)
	return nil
}

func TestSessionThatTheBrokerLostBeginsAnew(t *testing.T) {
	e := startEmbedded(t, "127.0.0.1:0", t.TempDir()+"/credentials")
	l := &losing{}
	if err := e.server.AddHook(l, nil); err != nil {
		t.Fatal(err)
	}
	s := New(Config{URL: e.URL(), Username: e.Username, Password: e.Password, ClientID: "a", SyncTopic: "sync"}, slog.New(slog.DiscardHandler))
	s.syncTimeout = time.Second
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	connected(t, s)
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.on.Store(true)
	eventually(t, "a sync in vain", func() bool { return s.Sync(t.Context()) != nil })
	eventually(t, "a session that works", func() bool { return s.Sync(t.Context()) == nil })
}
