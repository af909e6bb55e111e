package cli

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/thingwarden/thingwarden/agent/broker/brokertest"
	"github.com/thingwarden/thingwarden/agent/demo"
)

// TestDemoOnMosquitto: the demo shows on the owner's broker while it runs, beside
// what is there, and leaves nothing behind, neither there nor on the disk.
func TestDemoOnMosquitto(t *testing.T) {
	m := brokertest.StartMosquitto(t, false)
	t.Setenv("TMPDIR", t.TempDir())
	file := filepath.Join(t.TempDir(), "config.yaml")
	conf := fmt.Sprintf("site: home\nlearning_period: 0\nstate_dir: %s\nmqtt: {url: %q, username: %s, password: %s}\nnetwork: {prefixes: [10.9.0.0/16]}\n",
		t.TempDir(), m.URL(), brokertest.Username, brokertest.Password)
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	seen := lookOn(t, m)
	seen.publish("zigbee2mqtt/bridge/state", `{"state":"online"}`) // the owner's own
	seen.publish("thingwarden/home/status", "online")

	var out bytes.Buffer
	a := &app{version: "test", file: file, out: newScreen(&out), err: newScreen(t.Output())}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() {
		err := a.demo(ctx)
		if ctx.Err() == nil {
			t.Errorf("ended by itself: %v", err)
		}
		ended <- err
	}()
	for _, topic := range []string{
		"homeassistant/device/thingwarden_demo_hub/config", "homeassistant/device/thingwarden_demo_mac_00005e00530a/config",
		"thingwarden/demo/mac_00005e00530a/telnet-open", "thingwarden/demo/zwave_dec0de01_5/zwave-no-security", "thingwarden/demo/zigbee_00158d00de300002/state",
	} {
		seen.await(t, topic, func(now map[string]string) bool { return now[topic] != "" })
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	seen.await(t, "the owner's topics only", func(now map[string]string) bool {
		return len(now) == 2 && now["zigbee2mqtt/bridge/state"] != "" && now["thingwarden/home/status"] != ""
	})
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	fits(t, out.String())
	if text := strings.Join(strings.Fields(out.String()), " "); !strings.Contains(text, "A SIMULATED HOME") || !strings.Contains(text, "topics removed from the broker, and nothing is left") {
		t.Errorf("printed:\n%s", out.String())
	}
}

// What may be left on a broker that is gone is told, and how to remove it later; of a
// broker that never answered nothing is claimed.
func TestDemoBrokerGone(t *testing.T) {
	m := brokertest.StartMosquitto(t, false)
	t.Setenv("TMPDIR", t.TempDir())
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "mqtt: {url: %q, username: %s, password: %s}\n", m.URL(), brokertest.Username, brokertest.Password), 0o600); err != nil {
		t.Fatal(err)
	}
	m.Kill()
	a := &app{version: "test", file: file, out: newScreen(t.Output()), err: newScreen(t.Output())}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	err := a.demo(ctx)
	if want := "the MQTT broker was never reached, so nothing was published"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want one with %q", err, want)
	}
	cfg, err := a.load()
	if err != nil {
		t.Fatal(err)
	}
	err = a.endDemo(t.Context(), demo.Configure(cfg, t.TempDir()), true, a.logger(slog.LevelError))
	if want := "THINGWARDEN_SITE=demo thingwarden purge --config"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want one with %q", err, want)
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// onlooker sees all that is retained on a broker.
type onlooker struct {
	client mqtt.Client

	mu  sync.Mutex
	now map[string]string
}

func lookOn(t *testing.T, m *brokertest.Mosquitto) *onlooker {
	t.Helper()
	o := &onlooker{now: map[string]string{}}
	o.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + m.Addr).SetClientID("onlooker").
		SetUsername(brokertest.Username).SetPassword(brokertest.Password))
	if tok := o.client.Connect(); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatalf("connecting to the broker: %v", tok.Error())
	}
	t.Cleanup(func() { o.client.Disconnect(100) })
	tok := o.client.Subscribe("#", 1, func(_ mqtt.Client, m mqtt.Message) {
		o.mu.Lock()
		defer o.mu.Unlock()
		switch topic := m.Topic(); {
		case strings.Contains(topic, "/event/"), strings.HasSuffix(topic, "/sync"): // never retained
		case len(m.Payload()) == 0:
			delete(o.now, topic)
		default:
			o.now[topic] = string(m.Payload())
		}
	})
	if !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatalf("subscribing: %v", tok.Error())
	}
	return o
}

func (o *onlooker) publish(topic, payload string) { o.client.Publish(topic, 1, true, payload).Wait() }

func (o *onlooker) await(t *testing.T, what string, is func(map[string]string) bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		o.mu.Lock()
		done := is(o.now)
		if !done && time.Now().After(deadline) {
			t.Errorf("%s: %d topics", what, len(o.now))
			for topic := range o.now {
				t.Log(topic)
			}
			o.mu.Unlock()
			t.FailNow()
		}
		o.mu.Unlock()
		if done {
			return
		}
	}
}
