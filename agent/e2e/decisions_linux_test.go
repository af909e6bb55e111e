package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

// decisionsWorld is a home whose learning period is over, with a device that
// was there from the beginning and has Telnet open.
type decisionsWorld struct {
	lab      *lab.Lab
	agent    *agent
	onlooker *onlooker
	owner    *owner
	config   string
	recorder *lab.Host
}

// TestDecisions follows the owner's decisions from Home Assistant's topics and
// the command line to the findings, over restarts.
func TestDecisions(t *testing.T) {
	l := lab.New(t)
	m := startBroker(t, l)
	w := &decisionsWorld{lab: l, onlooker: look(t, m), owner: newOwner(t, m), config: brokerConfig(m), recorder: l.Host("recorder")}
	w.recorder.Telnetd(t, 23)
	w.agent = startAgent(t, l.Hub(), w.config+"learning_period: 1h\n")
	w.waitFinding(t, macID(w.recorder), "telnet-open", "open")
	w.restart(t, "learning_period: 1s\n")
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"what was there is no news", w.testKnown},
		{"a new device is trusted by the switch and on the command line", w.testTrust},
		{"retained commands are ignored", w.testRetained},
		{"wrong commands are answered", w.testWrong},
		{"an acceptance ends on time", w.testExpiry},
		{"an acceptance ends when it gets worse", w.testWorse},
		{"check now asks the device again", w.testRecheck},
		{"scan follows decisions and writes nothing", w.testScan},
	} {
		if !t.Run(step.name, step.run) {
			return
		}
	}
}

// restart ends the agent cleanly and starts it again.
func (w *decisionsWorld) restart(t *testing.T, more string, between ...func()) {
	t.Helper()
	end(t, w.agent)
	for _, f := range between {
		f()
	}
	w.agent.configure(w.config + more)
	w.agent.start()
	lab.WaitFor(t, 20*time.Second, "the agent to be back", func() bool {
		b, _ := w.onlooker.get("thingwarden/home/status")
		return string(b) == "online"
	})
	if !w.owner.waitReady(t.Context()) {
		t.Fatal("the agent takes no commands")
	}
}

// end ends an agent by a signal and waits for it.
func end(t testing.TB, a *agent) {
	t.Helper()
	if err := a.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := a.Wait(10 * time.Second); err != nil {
		t.Fatalf("clean end: %v\n%s", err, a.Output())
	}
}

func (w *decisionsWorld) waitFinding(t testing.TB, id, policy, status string) {
	t.Helper()
	lab.WaitFor(t, 30*time.Second, id+" "+policy+" "+status, func() bool {
		state, attr := w.onlooker.finding(id, policy)
		return attr["status"] == status && (state == "ON") == (status == "open")
	})
}

// waitNew waits until a device is said to be new, or not, among what only informs.
func (w *decisionsWorld) waitNew(t testing.TB, id string, want bool) {
	t.Helper()
	lab.WaitFor(t, 30*time.Second, fmt.Sprintf("%s new: %v", id, want), func() bool {
		isNew, there := w.isNew(id)
		return there && isNew == want
	})
}

func (w *decisionsWorld) isNew(id string) (isNew, there bool) {
	_, state := w.onlooker.device(id)
	attr, there := state["attr"].(map[string]any)
	return informs(attr, "new-device"), there
}

func (w *decisionsWorld) waitTrusted(t testing.TB, id, want string) {
	t.Helper()
	lab.WaitFor(t, 10*time.Second, id+" trusted "+want, func() bool {
		_, state := w.onlooker.device(id)
		return state["trusted"] == want
	})
}

func (w *decisionsWorld) waitEvent(t testing.TB, want, id string) {
	t.Helper()
	lab.WaitFor(t, 10*time.Second, "event "+want+" of "+id, func() bool { return w.events(want, id) > 0 })
}

func (w *decisionsWorld) events(kind, id string) (n int) {
	w.onlooker.mu.Lock()
	defer w.onlooker.mu.Unlock()
	for _, e := range w.onlooker.events {
		if e["event_type"] == kind && strings.Contains(fmt.Sprint(e), id) {
			n++
		}
	}
	return n
}

// newcomer is a new device that has shown itself, was told and is said to be new.
func (w *decisionsWorld) newcomer(t *testing.T, name string) *lab.Host {
	t.Helper()
	h := w.lab.Host(name)
	h.Start(t, "arping", "-U", "-c", "10", "-I", "lan0", h.IP().String()) // nobody tells when a bridge port forwards
	w.waitEvent(t, "device_appeared", macID(h))
	w.waitNew(t, macID(h), true)
	return h
}

func (w *decisionsWorld) testKnown(t *testing.T) {
	if n := w.onlooker.count("device_appeared"); n != 0 {
		t.Errorf("%d events of new devices, want none", n)
	}
	if isNew, there := w.isNew(macID(w.recorder)); isNew || !there {
		t.Errorf("the recorder is new: %v, shown: %v", isNew, there)
	}
}

func (w *decisionsWorld) testTrust(t *testing.T) {
	phone, tablet := w.newcomer(t, "phone"), w.newcomer(t, "tablet")
	w.onlooker.publish("thingwarden/home/"+macID(phone)+"/trusted/set", "ON", false)
	if out, code := w.agent.cli("trust", tablet.IP().String()); code != 0 || !strings.Contains(out, "is trusted now") {
		t.Errorf("exit code %d: %s", code, out)
	}
	for _, h := range []*lab.Host{phone, tablet} {
		w.waitTrusted(t, macID(h), "ON")
		w.waitNew(t, macID(h), false)
		w.waitEvent(t, "device_trusted", macID(h))
	}
	w.onlooker.publish("thingwarden/home/"+macID(phone)+"/trusted/set", "OFF", false)
	w.waitTrusted(t, macID(phone), "OFF")
	w.waitNew(t, macID(phone), true)
	w.onlooker.publish("thingwarden/home/"+macID(phone)+"/trusted/set", "ON", false)
	w.waitTrusted(t, macID(phone), "ON")

	w.restart(t, "learning_period: 1s\n")
	w.waitTrusted(t, macID(tablet), "ON")
	w.waitNew(t, macID(phone), false)
	if n := w.events("finding_opened", macID(phone)); n != 0 {
		t.Errorf("%d events of a finding that only informs", n)
	}
	if n := w.events("device_appeared", macID(phone)); n != 1 {
		t.Errorf("%d events of one new device", n)
	}
}

func (w *decisionsWorld) testRetained(t *testing.T) {
	tv := w.newcomer(t, "tv")
	trust, command := "thingwarden/home/"+macID(tv)+"/trusted/set", "thingwarden/home/command"
	w.restart(t, "learning_period: 1s\n", func() {
		w.onlooker.publish(trust, "ON", true)
		w.onlooker.publish(command, `{"request":"retained","action":"trust","device":"`+macID(tv)+`"}`, true)
	})
	w.onlooker.publish(trust, "", true)
	w.onlooker.publish(command, "", true)
	w.owner.must(map[string]any{"action": "recheck", "device": macID(tv)}) // later than those
	w.waitTrusted(t, macID(tv), "OFF")
	w.waitNew(t, macID(tv), true)
	if b, _ := w.onlooker.get("thingwarden/home/command/result"); strings.Contains(string(b), "retained") {
		t.Errorf("answer %s", b)
	}
}

func (w *decisionsWorld) testWrong(t *testing.T) {
	id := macID(w.recorder)
	for _, tt := range []struct{ name, in, want string }{
		{"no JSON", `trust the recorder`, "the command is not understood"},
		{"cut in half", `{"request":"a","action":`, "the command is not understood"},
		{"misspelt key", `{"request":"b","action":"accept","device":"` + id + `","policy":"telnet-open","untill":"2099-01-01"}`, `unknown field "untill"`},
		{"unknown device", `{"request":"c","action":"trust","device":"mac_000000000000"}`, `there is no device "mac_000000000000"`},
		{"unknown policy", `{"request":"d","action":"accept","device":"` + id + `","policy":"telnet-opne"}`, `there is no policy "telnet-opne"`},
		{"in the past", `{"request":"e","action":"accept","device":"` + id + `","policy":"telnet-open","until":"2020-01-01"}`, "has passed"},
		{"not accepted", `{"request":"f","action":"unaccept","device":"` + id + `","policy":"telnet-open"}`, "not accepted"},
	} {
		var a answer
		w.onlooker.publish("thingwarden/home/command", tt.in, false)
		lab.WaitFor(t, 5*time.Second, tt.name+": the answer", func() bool {
			b, _ := w.onlooker.get("thingwarden/home/command/result")
			return json.Unmarshal(b, &a) == nil && strings.Contains(a.Error, tt.want)
		})
		if a.OK || a.Request != "" && !strings.Contains(tt.in, `"request":"`+a.Request+`"`) {
			t.Errorf("%s: answer %+v", tt.name, a)
		}
	}
	w.waitFinding(t, id, "telnet-open", "open")
}

func (w *decisionsWorld) testExpiry(t *testing.T) {
	id := macID(w.recorder)
	until := time.Now().Add(5 * time.Second)
	w.owner.must(map[string]any{"action": "accept", "device": id, "policy": "telnet-open", "reason": "goes next week",
		"until": until.Format(time.RFC3339Nano)})
	w.waitFinding(t, id, "telnet-open", "accepted")
	w.waitEvent(t, "finding_accepted", id)
	_, attr := w.onlooker.finding(id, "telnet-open")
	if attr["accepted_reason"] != "goes next week" || attr["accepted_until"] != until.UTC().Truncate(time.Second).Format(time.RFC3339) {
		t.Errorf("attributes %v", attr)
	}
	w.waitFinding(t, id, "telnet-open", "open")
	if d := time.Since(until); d < 0 || d > 3*time.Second {
		t.Errorf("it came back %v after its end", d)
	}
	w.waitEvent(t, "finding_expired", id)
	// What nobody waits for is saved with the state: after many events, once a minute.
	lab.WaitFor(t, 75*time.Second, "the file to have what is over as ended", func() bool {
		// It is kept as ended, should the clock have been wrong.
		var file struct {
			Devices map[string]struct {
				Accepted, Ended map[string]struct{ Reason string }
			}
		}
		b, err := os.ReadFile(filepath.Join(w.agent.dir, "decisions.json"))
		if err != nil || json.Unmarshal(b, &file) != nil {
			return false
		}
		d := file.Devices[id]
		return len(d.Accepted) == 0 && d.Ended["telnet-open"].Reason == "goes next week"
	})
}

func (w *decisionsWorld) testWorse(t *testing.T) {
	camera := w.newcomer(t, "camera")
	id := macID(camera)
	lab.WaitFor(t, 20*time.Second, "the camera to be asked", func() bool {
		_, state := w.onlooker.device(id)
		return strings.Contains(fmt.Sprint(state["attr"]), "telnet")
	})
	if out, code := w.agent.cli("accept", camera.IP().String(), "new-device", "--reason", "a friend's"); code != 0 {
		t.Fatalf("exit code %d: %s", code, out)
	}
	accepted := func() bool {
		_, state := w.onlooker.device(id)
		attr, _ := state["attr"].(map[string]any)
		return attr["accepted"] == 1.0 && !informs(attr, "new-device")
	}
	lab.WaitFor(t, 30*time.Second, "new-device to be accepted", accepted)
	w.restart(t, "learning_period: 1s\n")
	w.owner.must(map[string]any{"action": "recheck", "device": id})
	lab.WaitFor(t, 30*time.Second, "new-device to be accepted still", accepted)
	if n := w.events("finding_expired", id); n != 0 {
		t.Fatalf("%d events that the acceptance is over", n)
	}

	camera.Telnetd(w.agent.t, 23) // longer than this part of the test
	w.onlooker.publish("thingwarden/home/"+id+"/check/set", "PRESS", false)
	w.waitFinding(t, id, "new-device", "open")
	w.waitFinding(t, id, "telnet-open", "open")
	w.waitEvent(t, "finding_expired", id)
	if _, attr := w.onlooker.finding(id, "new-device"); attr["severity"] != "medium" || attr["accepted_reason"] != nil {
		t.Errorf("attributes %v, want severity medium and no reason", attr)
	}
}

func (w *decisionsWorld) testRecheck(t *testing.T) {
	c := w.recorder.Capture(t)
	time.Sleep(time.Second)
	if n := c.Connections(); n != 0 {
		t.Errorf("%d connections although nothing was due", n)
	}
	w.onlooker.publish("thingwarden/home/"+macID(w.recorder)+"/check/set", "PRESS", false)
	lab.WaitFor(t, 10*time.Second, "a connection to the recorder's Telnet", func() bool {
		return len(c.Frames(func(f lab.Frame) bool { return f.SYN() && f.Port() == 23 })) > 0
	})
	before := c.Connections()
	if out, code := w.agent.cli("recheck"); code != 0 {
		t.Errorf("exit code %d: %s", code, out)
	}
	lab.WaitFor(t, 15*time.Second, "more connections by a recheck of the home", func() bool { return c.Connections() > before })
}

func (w *decisionsWorld) testScan(t *testing.T) {
	id := macID(w.recorder)
	w.owner.must(map[string]any{"action": "accept", "device": id, "policy": "telnet-open", "reason": "for good"})
	end(t, w.agent)
	before := files(t, w.agent.dir)
	_, s, code := scan(t, "--for", "8s", "--fail-on", "high", "--config", w.agent.file)
	if code != 2 {
		t.Errorf("exit code %d, want 2: the camera has Telnet open", code)
	}
	for _, d := range s.Devices {
		for _, f := range d.Findings {
			if f.Policy == "new-device" {
				t.Errorf("%s: a scan can't know who is new", d.ID)
			}
		}
		if d.ID == id && !slices.Contains(d.Findings, struct{ Policy, Status string }{"telnet-open", "accepted"}) {
			t.Errorf("findings %v, want that telnet-open is accepted", d.Findings)
		}
	}
	if d := cmp.Diff(before, files(t, w.agent.dir)); d != "" {
		t.Errorf("the state folder changed (-before +after):\n%s", d)
	}
}
