package agent

import (
	"context"
	"log/slog"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/agent/broker/brokertest"
	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/agent/offline"
)

// retained returns the topics that the broker keeps.
func retained(t *testing.T, m *brokertest.Mosquitto) []string {
	t.Helper()
	host, port, err := net.SplitHostPort(m.Addr)
	if err != nil {
		t.Fatal(err)
	}
	// It ends with an error when the time is over, which is how it always ends.
	out, _ := exec.Command(brokertest.Require(t, "mosquitto_sub"), "-h", host, "-p", port, "-u", brokertest.Username, "-P", brokertest.Password,
		"-t", "#", "--retained-only", "-F", "%t", "-W", "1").Output()
	return strings.Fields(string(out))
}

func quietConfig(t *testing.T, m *brokertest.Mosquitto) config.Config {
	c := config.Default()
	c.StateDir = t.TempDir()
	c.MQTT.URL, c.MQTT.Username, c.MQTT.Password = m.URL(), brokertest.Username, brokertest.Password
	c.Sources["neighbours"].Enabled, c.Sources["mdns"].Enabled, c.Sources["zwavejs"].Enabled = false, false, false
	c.Devices = []config.Device{{Match: "aa:bb:cc:dd:ee:ff", Name: "Porch camera", Class: "camera"}}
	return c
}

func TestPurgeLeavesNothing(t *testing.T) {
	m := brokertest.StartMosquitto(t, false)
	cfg := quietConfig(t, m)
	log := slog.New(slog.DiscardHandler)
	a, err := New(Options{Config: cfg, Log: log, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	config := "homeassistant/device/thingwarden_home_mac_aabbccddeeff/config"
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(strings.Join(retained(t, m), " "), config); {
		if time.Now().After(deadline) {
			t.Fatal("the device is not published")
		}
	}
	if _, err := offline.Purge(t.Context(), cfg, log); err == nil || !strings.Contains(err.Error(), "another Thingwarden uses it") {
		t.Errorf("purge beside a running agent: %v", err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}

	before := retained(t, m)
	n, err := offline.Purge(t.Context(), cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	if n != len(before) {
		t.Errorf("%d topics removed, want %d: %v", n, len(before), before)
	}
	if left := retained(t, m); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestPurgeSaysWhatIsWrong(t *testing.T) {
	m := brokertest.StartMosquitto(t, false)
	tests := []struct {
		name   string
		change func(*config.Config)
		want   string
	}{
		{"no broker configured", func(c *config.Config) { c.MQTT.URL = "" }, "set mqtt.url"},
		{"wrong password", func(c *config.Config) { c.MQTT.Password = "not-this-one" }, "connecting to the MQTT broker: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := quietConfig(t, m)
			tt.change(&cfg)
			_, err := offline.Purge(t.Context(), cfg, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "not-this-one") {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}
