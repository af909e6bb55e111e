package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// restart ends the agent and starts it again with these policies.
func (w *world) restart(t testing.TB, policies ...string) {
	t.Helper()
	w.end(t)
	w.agent.configure(w.config + "learning_period: 0\n" + judgeBy(t, policies...))
	w.agent.start()
	w.waitOnline(t)
}

// waitOnline waits until the agent has published all that it has to.
func (w *world) waitOnline(t testing.TB) {
	t.Helper()
	lab.WaitFor(t, 30*time.Second, "the agent to be online", func() bool {
		b, _ := w.onlooker.get("thingwarden/home/status")
		return string(b) == "online"
	})
}

// testPolicyGone switches a policy off: the entity of its finding goes, and
// comes back as it was.
func (w *world) testPolicyGone(t *testing.T) {
	s := w.ha.connect(t)
	key := macID(w.plug) + "_homekit_unpaired"
	before := w.settled(s)
	w.restart(t, "telnet-open", "new-device")
	lab.WaitFor(t, 30*time.Second, "the entity "+key+" to go", func() bool { _, there := s.entities()[key]; return !there })
	s.waitState(10*time.Second, macID(w.plug)+"_problem", "off")
	w.restart(t, judged...)
	e := s.waitState(30*time.Second, key, "on")
	if e.ID != before[key].ID {
		t.Errorf("the entity is %s now, and was %s", e.ID, before[key].ID)
	}
}

// stays waits a while in which our entities must stay what they are.
func (w *world) stays(s *haSocket, want map[string]entity) {
	s.t.Helper()
	if d := cmp.Diff(keys(want), keys(w.settled(s))); d != "" {
		s.t.Fatalf("entities of Home Assistant (-want +got):\n%s", d)
	}
}

func keys(m map[string]entity) map[string]bool {
	out := map[string]bool{}
	for k := range m {
		out[k] = true
	}
	return out
}

// testDeleteEntity deletes an entity. Home Assistant tells nobody, and would
// make it again with the next configuration, so there must be none.
func (w *world) testDeleteEntity(t *testing.T) {
	s := w.ha.connect(t)
	key := macID(w.camera) + "_score"
	want := w.settled(s)
	s.call("config/entity_registry/remove", map[string]any{"entity_id": want[key].ID})
	delete(want, key)
	w.stays(s, want)

	s.action("button.press", map[string]any{"entity_id": want[macID(w.camera)+"_check"].ID})
	s.action("switch.turn_on", map[string]any{"entity_id": want[macID(w.camera)+"_trusted"].ID})
	s.waitState(10*time.Second, macID(w.camera)+"_trusted", "on")
	w.stays(s, want)
	w.restart(t, judged...)
	s.waitState(30*time.Second, macID(w.camera)+"_telnet_open", "on")
	w.stays(s, want)
}

// without removes the entities of a device.
func without(all map[string]entity, device string) map[string]entity {
	out := map[string]entity{}
	for k, e := range all {
		if !strings.HasPrefix(k, device+"_") {
			out[k] = e
		}
	}
	return out
}

// testDeleteDevice deletes a device: it stays away until somebody asks for it.
func (w *world) testDeleteDevice(t *testing.T) {
	s := w.ha.connect(t)
	id := macID(w.plug)
	want := without(w.settled(s), id)
	s.call("config/device_registry/remove", map[string]any{"device_id": s.devices()[id].ID})
	w.stays(s, want)
	w.restart(t, judged...)
	w.stays(s, want)
}

func (w *world) testRestart(t *testing.T) {
	want := w.settled(w.ha.connect(t))
	w.ha.restart(t)
	s := w.ha.connect(t)
	// It reads the configuration again of the entity that the user deleted.
	score := macID(w.camera) + "_score"
	want[score] = s.wait(time.Minute, score, "back", func(e entity) bool { return e.State != "unknown" && e.State != "unavailable" })
	w.waitShows(s, time.Minute, want)
	w.stays(s, want)
	if b, _ := w.onlooker.get("homeassistant/device/thingwarden_home_" + macID(w.plug) + "/config"); b != nil {
		t.Errorf("the configuration of the deleted device is on the broker: %s", b)
	}
}

func (w *world) testRestore(t *testing.T) {
	s := w.ha.connect(t)
	id := macID(w.plug)
	w.command(s, "restore", map[string]any{"action": "recheck", "device": id})
	e := s.waitState(30*time.Second, id+"_homekit_unpaired", "on")
	if want := "binary_sensor.thingwarden_home_" + id + "_homekit_unpaired"; e.ID != want {
		t.Errorf("the entity is %s now, want %s as it was", e.ID, want)
	}
	w.settled(s)
}

// testDeleteDeviceAway deletes a device while the agent does not run.
func (w *world) testDeleteDeviceAway(t *testing.T) {
	s := w.ha.connect(t)
	id := macID(w.plug)
	want := without(w.settled(s), id)
	w.end(t)
	s.call("config/device_registry/remove", map[string]any{"device_id": s.devices()[id].ID})
	w.agent.start()
	w.waitOnline(t)
	w.stays(s, want)
	s.action("button.press", map[string]any{"entity_id": want["hub_check"].ID})
	w.stays(s, want) // the whole home, but not what was deleted
	w.command(s, "restore 2", map[string]any{"action": "recheck", "device": id})
	s.waitState(30*time.Second, id+"_problem", "on")
}
