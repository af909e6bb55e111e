package agent

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/agent/broker"
	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/agent/supervisor"
	"github.com/thingwarden/thingwarden/discovery"
)

// TestApp: inside the app the Supervisor says where the broker is, sooner or
// later, and where the page is to be shown. Devices are looked for meanwhile.
func TestApp(t *testing.T) {
	e, err := broker.StartEmbedded("127.0.0.1:0", filepath.Join(t.TempDir(), "credentials"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	host, brokerPort, _ := net.SplitHostPort(e.Addr)
	pagePort := freePort(t)
	var installed atomic.Bool
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer token":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/services/mqtt" && installed.Load():
			fmt.Fprintf(w, `{"result":"ok","data":{"host":%q,"port":%q,"username":%q,"password":%q,"ssl":false}}`, host, brokerPort, e.Username, e.Password)
		case r.URL.Path == "/services/mqtt":
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"result":"error","message":"Service not enabled"}`)
		case r.URL.Path == "/addons/self/info":
			fmt.Fprintf(w, `{"result":"ok","data":{"slug":"a0d7b954_thingwarden","host_network":true,"ip_address":"127.0.0.1","ingress_port":%s}}`, pagePort)
		}
	}))
	t.Cleanup(s.Close)

	cfg := config.Default()
	cfg.StateDir, cfg.InApp, cfg.Web.Listen = t.TempDir(), true, ""
	a := start(t, Options{Config: cfg, Supervisor: supervisor.New(s.URL, "token"), Sources: []discovery.SourceKind{kindOf("test", oneDevice{})}})
	soon(t, "what is missing is told, and the device is there", func() bool {
		h := health(a.Snapshot(), "mqtt")
		return h.Status == discovery.Down && strings.Contains(h.Error, "Mosquitto broker") && a.Snapshot().Device(cameraID) != nil
	})
	soon(t, "the page shows both", func() bool {
		has := func(path, text string) bool {
			resp, err := http.Get("http://127.0.0.1:" + pagePort + path)
			if err != nil {
				return false
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			return err == nil && resp.StatusCode == http.StatusOK && strings.Contains(string(b), text)
		}
		return has("/health", "Mosquitto broker") && has("/devices", ">Camera<")
	})
	if h := health(a.Snapshot(), "ingress"); h.Status != discovery.OK {
		t.Errorf("health of the page is %v", h)
	}
	installed.Store(true)
	soon(t, "connected to the broker that was installed", func() bool {
		return health(a.Snapshot(), "mqtt").Status == discovery.OK
	})
}

// TestFindBroker: what the owner configured wins over what the Supervisor says.
func TestFindBroker(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"result":"ok","data":{"host":"core-mosquitto","port":1883,"username":"addons","password":"theirs"}}`)
	}))
	defer s.Close()
	for _, tt := range []struct {
		name string
		cfg  config.MQTT
		want broker.Address
	}{
		{"nothing set", config.MQTT{}, broker.Address{URL: "mqtt://core-mosquitto:1883", Username: "addons", Password: "theirs"}},
		{"own user", config.MQTT{Username: "me", Password: "mine"}, broker.Address{URL: "mqtt://core-mosquitto:1883", Username: "me", Password: "mine"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := findBroker(supervisor.New(s.URL, "token"), tt.cfg)(t.Context())
			if err != nil || got != tt.want {
				t.Errorf("got %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

func health(s *report.Snapshot, name string) report.Component {
	for _, h := range s.Health {
		if h.Name == name {
			return h
		}
	}
	return report.Component{}
}

func soon(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
