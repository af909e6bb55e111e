package e2e

import (
	"fmt"
	"maps"
	"syscall"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

// TestHomeAssistant shows that a real Home Assistant has what we publish, does
// what the owner wants with it, and comes through every restart with it.
func TestHomeAssistant(t *testing.T) {
	w := newWorld(t)
	start := time.Now()
	w.startAgent(t)
	w.ha.connect(t).waitState(time.Minute, macID(w.camera)+"_telnet_open", "on")
	t.Logf("the first finding came %v after the agent's start", time.Since(start).Round(100*time.Millisecond))
	w.ha.connect(t).waitState(time.Minute, macID(w.plug)+"_homekit_unpaired", "on")

	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"entities", w.testEntities},
		{"devices", w.testDevices},
		{"linked devices", w.testLinked},
		{"clean stop and start of the agent", w.testStop},
		{"new device", w.testNewDevice},
		{"dashboard", w.testDashboard},
		{"kill of the agent", w.testKill},
		{"restart of the broker", w.testBroker},
		{"broker that forgets", w.testForgetfulBroker},
		{"new device while Home Assistant restarts", w.testNewDeviceMeanwhile},
		{"trusted switch", w.testTrusted},
		{"check now", w.testCheck},
		{"accept", w.testAccept},
		{"policy that goes", w.testPolicyGone},
		{"entity that the user deletes", w.testDeleteEntity},
		{"device that the user deletes", w.testDeleteDevice},
		{"restart of Home Assistant", w.testRestart},
		{"deleted device that the user asks for", w.testRestore},
		{"device that the user deletes while we are away", w.testDeleteDeviceAway},
	} {
		if !t.Run(step.name, step.run) {
			break // the next ones build on it
		}
	}
	w.checkAlerts(t, macID(w.newcomer), macID(w.visitor))
	w.ha.checkLog(t)
}

// end ends the agent as a user does.
func (w *world) end(t testing.TB) {
	t.Helper()
	if err := w.agent.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := w.agent.Wait(20 * time.Second); err != nil {
		t.Fatalf("the agent's end: %v\n%s", err, w.agent.Output())
	}
}

// testStop also ends the learning period: from now on a new device is news.
func (w *world) testStop(t *testing.T) {
	s := w.ha.connect(t)
	before := w.settled(s)
	w.end(t)
	w.waitUnavailable(s, 5*time.Second)
	w.agent.configure(w.config + "learning_period: 0\n" + judgeBy(t, judged...))
	w.agent.start()
	w.waitShows(s, time.Minute, before)
	w.checkAlerts(t)
}

// arrive has a host send its first and only packet, and returns when.
func arrive(t testing.TB, h *lab.Host, ip string) time.Time {
	t.Helper()
	h.Run(t, "ip", "addr", "add", ip+"/24", "dev", "lan0")
	start := time.Now()
	h.Start(t, "arping", "-U", "-c", "1", "-w", "1", "-I", "lan0", ip)
	return start
}

// testNewDevice brings a host into the home, which sends one packet.
func (w *world) testNewDevice(t *testing.T) {
	s := w.ha.connect(t)
	w.settled(s)
	id := macID(w.newcomer)
	start := arrive(t, w.newcomer, "10.99.0.150")
	lab.WaitFor(t, 10*time.Second, "the alert", func() bool { return w.onlooker.count("alert") > 0 })
	took := time.Since(start)
	t.Logf("the automation ran %v after the first packet", took.Round(time.Millisecond))
	if took > 2*time.Second {
		t.Errorf("the automation ran %v after the first packet, want at most 2s", took)
	}
	e := s.entities()["hub_event_device"]
	// The maker of its address says what it is, so that it is identified right after.
	if kind := e.Attr["event_type"]; kind != "device_appeared" && kind != "device_identified" || e.Attr["device"] != id || e.Attr["device_name"] == "" {
		t.Errorf("event: %v", e)
	}
	isNew := func(e entity) bool { return informs(e.Attr, "new-device") }
	s.wait(10*time.Second, id+"_problem", "new", isNew)
	w.settled(s)
	w.agent.Kill() // which remembers the device, if not yet the finding
	w.agent.start()
	s.wait(time.Minute, id+"_problem", "new", isNew)
	w.settled(s)
	w.checkAlerts(t, id)
}

func (w *world) testKill(t *testing.T) {
	s := w.ha.connect(t)
	w.restart(t, judged...) // saves what has been learned
	before := w.settled(s)
	w.agent.Kill()
	w.waitUnavailable(s, 5*time.Second)
	w.agent.start()
	w.waitShows(s, time.Minute, before)
}

func (w *world) testBroker(t *testing.T) {
	s := w.ha.connect(t)
	before := w.settled(s)
	w.broker.Stop()
	w.waitUnavailable(s, 10*time.Second)
	w.broker.Start(w.ha.t)
	w.waitShows(s, time.Minute, before)
}

func (w *world) testForgetfulBroker(t *testing.T) {
	s := w.ha.connect(t)
	before := w.settled(s)
	w.loseBroker(t)
	w.waitUnavailable(s, 10*time.Second)
	w.broker.Start(w.ha.t)
	w.waitShows(s, time.Minute, before)
}

// testNewDeviceMeanwhile brings a host into the home while Home Assistant does
// not run: the news waits for it.
func (w *world) testNewDeviceMeanwhile(t *testing.T) {
	w.ha.stop(t)
	w.ha.checkLog(t)
	id := macID(w.visitor)
	arrive(t, w.visitor, "10.99.0.151")
	lab.WaitFor(t, 10*time.Second, "the visitor", func() bool { c, _ := w.onlooker.device(id); return c != nil })
	w.ha.run()
	w.ha.waitRunning(t)
	lab.WaitFor(t, 30*time.Second, "the alert", func() bool { return w.onlooker.count("alert") > 1 })
	w.settled(w.ha.connect(t))
	w.checkAlerts(t, macID(w.newcomer), id)
}

func (w *world) testTrusted(t *testing.T) {
	s := w.ha.connect(t)
	id := macID(w.newcomer)
	s.action("switch.turn_on", map[string]any{"entity_id": s.entities()[id+"_trusted"].ID})
	s.waitState(10*time.Second, id+"_trusted", "on")
	s.wait(10*time.Second, id+"_problem", "not new", func(e entity) bool {
		return e.State == "off" && !informs(e.Attr, "new-device")
	})
	s.wait(10*time.Second, "hub_event_device", "device_trusted", func(e entity) bool {
		return e.Attr["event_type"] == "device_trusted" && e.Attr["device"] == id
	})
}

// testCheck opens Telnet on a device that was found to be clean, and closes it
// again; without the button that would be seen hours later.
func (w *world) testCheck(t *testing.T) {
	s := w.ha.connect(t)
	id := macID(w.clean)
	press := func() { s.action("button.press", map[string]any{"entity_id": s.entities()[id+"_check"].ID}) }
	t.Run("Telnet opens", func(t *testing.T) {
		w.clean.Telnetd(t, 23)
		press()
		s.waitState(30*time.Second, id+"_telnet_open", "on")
		s.waitState(10*time.Second, id+"_problem", "on")
		s.wait(10*time.Second, "hub_high", "2", func(e entity) bool { return e.State == "2" })
	})
	press()
	if f := s.waitState(30*time.Second, id+"_telnet_open", "off"); f.Attr["status"] != "resolved" {
		t.Errorf("finding: %v", f)
	}
	s.waitState(10*time.Second, id+"_problem", "off")
	s.wait(10*time.Second, "hub_event_finding", "finding_resolved", func(e entity) bool {
		return e.Attr["event_type"] == "finding_resolved" && e.Attr["device"] == id
	})
}

// command sends a command as an automation of the user does, and waits for the
// answer.
func (w *world) command(s *haSocket, request string, rest map[string]any) {
	s.t.Helper()
	payload := map[string]any{"request": request}
	maps.Copy(payload, rest)
	s.action("mqtt.publish", map[string]any{"topic": "thingwarden/home/command", "payload": string(mustJSON(s.t, payload))})
	want := fmt.Sprintf(`{"request":%q,"ok":true}`, request)
	var last []byte
	defer func() {
		if s.t.Failed() {
			s.t.Logf("the last answer: %s", last)
		}
	}()
	lab.WaitFor(s.t, 10*time.Second, "the answer "+want, func() bool {
		last, _ = w.onlooker.get("thingwarden/home/command/result")
		return string(last) == want
	})
}

func (w *world) testAccept(t *testing.T) {
	s := w.ha.connect(t)
	id := macID(w.camera)
	w.command(s, "1", map[string]any{"action": "accept", "device": id, "policy": "telnet-open", "reason": "in its own network", "until": "2099-12-31"})
	f := s.waitState(10*time.Second, id+"_telnet_open", "off")
	if f.Attr["status"] != "accepted" || f.Attr["accepted_reason"] != "in its own network" || f.Attr["accepted_until"] == nil {
		t.Errorf("finding: %v", f)
	}
	s.waitState(10*time.Second, id+"_problem", "off")
	s.waitState(10*time.Second, id+"_score", "100")
	s.wait(10*time.Second, "hub_event_finding", "finding_accepted", func(e entity) bool {
		return e.Attr["event_type"] == "finding_accepted" && e.Attr["policy"] == "telnet-open"
	})
	w.command(s, "2", map[string]any{"action": "unaccept", "device": id, "policy": "telnet-open"})
	s.waitState(10*time.Second, id+"_telnet_open", "on")
}
