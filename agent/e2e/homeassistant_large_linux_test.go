package e2e

import (
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

// mostBeside is how much longer Home Assistant may take to have all that we
// publish than all that a bare publisher of the same bytes sends.
const mostBeside = 1.3

// TestHomeAssistantLarge shows 250 devices with 600 findings to a real Home
// Assistant, beside a bare publisher, and has each of the three start again.
func TestHomeAssistantLarge(t *testing.T) {
	binary(t)
	l := lab.New(t)
	// It saves what it has when it ends, not at each message.
	m := l.Hub().Mosquitto(t, lab.MosquittoConfig{Username: brokerUser, Password: brokerPassword,
		Extra: "persistence true\npersistence_location " + t.TempDir() + "/\nmax_queued_messages 0\n"})
	o := look(t, m)
	publishZigbee(o, 248, 200)
	ha := startHomeAssistant(t, l.Hub(), m, "00:00:5e:00:53:99")
	s := ha.connect(t)
	config := brokerConfig(m) + judgeZigbee(t)

	a := startAgent(t, l.Hub(), config)
	poll(90*time.Second, func() bool { return openFindings(o) == 600 })
	if n := openFindings(o); n != 600 {
		t.Fatalf("%d findings on the broker, want 600", n)
	}
	lab.WaitFor(t, time.Minute, "the third component's configurations", func() bool {
		return len(shownOf(s)) > 0 && len(o.topics("homeassistant/device/thingwarden_home_")) == 250
	})
	want := steady(t, s)
	t.Logf("%d entities of 250 devices; the agent: %.1f MiB", len(want), used(t, a.Proc).resident)
	messages := retainedOfOurs(o)
	stopAgent(t, a)

	clearAll(t, a, s)
	bare := publishPlain(t, m, messages, func() bool { return maps.Equal(want, shownOf(s)) })
	clearAll(t, a, s)
	a = startAgent(t, l.Hub(), config)
	lab.WaitFor(t, time.Minute, "the first configuration", func() bool { return len(o.topics("homeassistant/device/thingwarden_home_")) > 0 })
	began := time.Now()
	waitSame(t, s, want, "published again")
	ours := time.Since(began)
	ratio := float64(ours) / float64(bare)
	t.Logf("all is in Home Assistant after %v, from a bare publisher after %v: %.2f", ours.Round(time.Millisecond), bare.Round(time.Millisecond), ratio)
	if ratio > mostBeside {
		t.Errorf("%.2f times as long as a bare publisher, want at most %.1f", ratio, mostBeside)
	}

	gone := func() bool { return !maps.Equal(want, shownOf(s)) }
	a.Kill()
	lab.WaitFor(t, 20*time.Second, "Home Assistant to notice the agent's end", gone)
	a.start()
	waitSame(t, s, want, "a restart of the agent")
	m.Stop()
	lab.WaitFor(t, 20*time.Second, "Home Assistant to notice the broker's end", gone)
	m.Start(t)
	waitSame(t, s, want, "a restart of the broker")
	ha.restart(t)
	s = ha.connect(t)
	waitSame(t, s, want, "a restart of Home Assistant")
	ha.checkLog(t)
}

func openFindings(o *onlooker) (n int) {
	for _, policies := range o.published() {
		for _, p := range policies {
			if slices.Contains(zigbeeFindings, p) {
				n++
			}
		}
	}
	return n
}

// shownOf are the states of all our entities but the hub's, which change by
// themselves.
func shownOf(s *haSocket) map[string]string {
	out := map[string]string{}
	for key, e := range s.entities() {
		if !strings.HasPrefix(key, "hub_") {
			out[key] = e.State
		}
	}
	return out
}

// steady waits until Home Assistant shows 600 findings and the same for three
// seconds.
func steady(t testing.TB, s *haSocket) map[string]string {
	t.Helper()
	last, since := shownOf(s), time.Now()
	lab.WaitFor(t, time.Minute, "Home Assistant to show 600 findings for three seconds", func() bool {
		now := shownOf(s)
		if !maps.Equal(last, now) {
			last, since = now, time.Now()
		}
		n := 0
		for key, state := range now {
			if state == "unavailable" {
				return false
			}
			if state == "on" && slices.ContainsFunc(zigbeeFindings, func(p string) bool {
				return strings.HasSuffix(key, "_"+strings.ReplaceAll(p, "-", "_"))
			}) {
				n++
			}
		}
		return n == 600 && time.Since(since) > 3*time.Second
	})
	return last
}

func waitSame(t testing.TB, s *haSocket, want map[string]string, when string) {
	t.Helper()
	var got map[string]string
	poll(time.Minute, func() bool { got = shownOf(s); return maps.Equal(want, got) })
	if maps.Equal(want, got) {
		return
	}
	n := 0
	for key := range want {
		if got[key] != want[key] {
			if n++; n <= 5 {
				t.Logf("%s: %q, want %q", key, got[key], want[key])
			}
		}
	}
	t.Fatalf("%s: %d of %d entities differ, %d are there", when, n, len(want), len(got))
}

// retainedOfOurs is all that stands on the broker because of us.
func retainedOfOurs(o *onlooker) map[string]string {
	out := map[string]string{}
	for _, prefix := range []string{"homeassistant/device/thingwarden_home_", "thingwarden/home/"} {
		for _, topic := range o.topics(prefix) {
			b, _ := o.get(topic)
			out[topic] = string(b)
		}
	}
	return out
}

func stopAgent(t testing.TB, a *agent) {
	t.Helper()
	if err := a.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := a.Wait(20 * time.Second); err != nil {
		t.Fatalf("the agent's end: %v\n%s", err, a.Output())
	}
}

// clearAll removes everything of ours from the broker and so from Home Assistant.
func clearAll(t testing.TB, a *agent, s *haSocket) {
	t.Helper()
	if out, code := a.cli("purge"); code != 0 {
		t.Fatalf("purge: %s", out)
	}
	lab.WaitFor(t, time.Minute, "Home Assistant to forget our entities", func() bool { return len(shownOf(s)) == 0 })
}

// publishPlain sends messages as a client does that knows nothing of Home
// Assistant, configurations first, and returns how long it takes until done.
func publishPlain(t testing.TB, m *lab.Mosquitto, messages map[string]string, done func() bool) time.Duration {
	t.Helper()
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + m.Addr).SetClientID("plain").SetUsername(brokerUser).SetPassword(brokerPassword))
	if tok := c.Connect(); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	defer c.Disconnect(100)
	start := time.Now()
	c.Publish("thingwarden/home/status", 1, true, "online")
	for _, topic := range slices.Sorted(maps.Keys(messages)) { // "homeassistant" comes first
		if topic != "thingwarden/home/status" {
			c.Publish(topic, 1, true, messages[topic])
		}
	}
	poll(time.Minute, done)
	if !done() {
		t.Fatal("Home Assistant does not show what a bare publisher sends")
	}
	return time.Since(start)
}
