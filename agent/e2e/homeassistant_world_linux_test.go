package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery/lab"
	"github.com/thingwarden/thingwarden/policy"
)

// world is a home with a real Home Assistant, which the subtests share: a start
// of it takes ten seconds.
type world struct {
	lab      *lab.Lab
	broker   *lab.Mosquitto
	database string // of the broker
	onlooker *onlooker
	ha       *homeAssistant
	agent    *agent
	config   string // of the agent, without learning period and policies

	camera, plug, clean *lab.Host
	newcomer, visitor   *lab.Host // say nothing yet
}

// newWorld builds the home: a camera with Telnet open, a plug that waits for
// HomeKit, and a device that has nothing wrong with it.
func newWorld(t *testing.T) *world {
	t.Helper()
	binary(t) // takes its time
	w := &world{lab: lab.New(t)}
	hub := w.lab.Hub()
	dir := t.TempDir()
	w.database = filepath.Join(dir, "mosquitto.db")
	w.broker = hub.Mosquitto(t, lab.MosquittoConfig{Username: brokerUser, Password: brokerPassword, Extra: "persistence true\n" +
		"persistence_location " + dir + "/\nautosave_interval 1\nautosave_on_changes true\n"})
	w.onlooker = look(t, w.broker)
	w.config = brokerConfig(w.broker)

	w.camera = w.lab.Host("camera", lab.WithMAC("24:0a:c4:00:53:01"))
	w.camera.Telnetd(t, 23)
	w.plug = w.lab.Host("plug")
	w.plug.Avahi(t, "plug", lab.AvahiService{Name: "Plug", Type: "_hap._tcp", Port: 5001, TXT: []string{
		"sf=1", "md=Lab plug", "ci=7", "id=00:11:22:33:44:55", "c#=1", "s#=1", "pv=1.1", "ff=0"}})
	w.clean = w.lab.Host("clean")
	w.newcomer = w.lab.Host("newcomer", lab.WithMAC("b8:27:eb:00:53:99"), lab.WithAddrs(), lab.Silent())
	w.visitor = w.lab.Host("visitor", lab.WithMAC("b8:27:eb:00:53:98"), lab.WithAddrs(), lab.Silent())

	start := time.Now()
	w.ha = startHomeAssistant(t, hub, w.broker, w.camera.MAC().String())
	t.Logf("Home Assistant was ready after %v", time.Since(start).Round(time.Second))
	return w
}

// startAgent starts the agent for the first time; what is there is known.
func (w *world) startAgent(t *testing.T) {
	t.Helper()
	w.agent = startAgent(t, w.lab.Hub(), w.config+"learning_period: 1h\n"+judgeBy(t, judged...))
}

// judged are the policies that the tests have the home judged by: what they want
// to see must not change with each policy that is written.
var judged = []string{"telnet-open", "homekit-unpaired", "new-device"}

// judgeBy is a configuration in which all other policies are switched off.
func judgeBy(t testing.TB, policies ...string) string {
	t.Helper()
	set, err := policy.Load(policy.Options{}, policy.Builtin()...)
	if err != nil {
		t.Fatal(err)
	}
	var off []string
	for _, p := range set.Policies() {
		if !slices.Contains(policies, p.ID) {
			off = append(off, p.ID)
		}
	}
	return "policies: {disable: [" + strings.Join(off, ", ") + "]}\n"
}

// shows is what Home Assistant shows of us, without what may change by itself.
func (w *world) shows(s *haSocket) map[string]entity {
	out := s.entities()
	for key, e := range out {
		if key == "hub_last_scan" && e.State != "unavailable" {
			e.State = ""
		}
		delete(e.Attr, "components") // of the agent's health: they come as they are first used
		out[key] = e
	}
	return out
}

// settled waits until Home Assistant shows the same for two seconds, and a verdict
// on every device: after a start of the agent they are looked at anew.
func (w *world) settled(s *haSocket) map[string]entity {
	s.t.Helper()
	deadline := time.Now().Add(time.Minute)
	last, since := w.shows(s), time.Now()
	for time.Since(since) < 2*time.Second || !judgedAll(last) {
		if time.Now().After(deadline) {
			s.t.Fatalf("what Home Assistant shows changes all the time, or a device is not checked: %+v", last)
		}
		time.Sleep(100 * time.Millisecond)
		if now := w.shows(s); !cmp.Equal(now, last) {
			last, since = now, time.Now()
		}
	}
	return last
}

func judgedAll(shows map[string]entity) bool {
	for key, e := range shows {
		if (strings.HasSuffix(key, "_problem") || strings.HasSuffix(key, "_score")) && e.State == "unknown" {
			return false
		}
		if n, _ := e.Attr["not_checked"].(float64); n > 0 && e.Attr["reachable"] == true {
			return false // not checked yet: a device that just came must be found first
		}
	}
	return true
}

// waitShows waits until Home Assistant shows what it showed before.
func (w *world) waitShows(s *haSocket, timeout time.Duration, want map[string]entity) {
	s.t.Helper()
	deadline := time.Now().Add(timeout)
	for {
		got := w.shows(s)
		if cmp.Equal(want, got) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("Home Assistant does not show the same as before within %v (-before +now):\n%s", timeout, cmp.Diff(want, got))
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// waitUnavailable waits until all our entities are unavailable.
func (w *world) waitUnavailable(s *haSocket, timeout time.Duration) {
	s.t.Helper()
	deadline := time.Now().Add(timeout)
	for {
		there := maps.Clone(w.shows(s))
		maps.DeleteFunc(there, func(_ string, e entity) bool { return e.State == "unavailable" })
		if len(there) == 0 {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("still available after %v: %v", timeout, slices.Sorted(maps.Keys(there)))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// checkAlerts fails the test unless the automation has told of exactly these
// devices, once each.
func (w *world) checkAlerts(t testing.TB, want ...string) {
	t.Helper()
	w.onlooker.mu.Lock()
	defer w.onlooker.mu.Unlock()
	var got []string
	for _, e := range w.onlooker.events {
		if e["event_type"] == "alert" {
			got = append(got, fmt.Sprint(e["device"]))
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("alerts of new devices (-want +got):\n%s", d)
	}
}

// loseBroker ends the broker, together with all that it has saved.
func (w *world) loseBroker(t testing.TB) {
	t.Helper()
	w.broker.Stop()
	if err := os.Remove(w.database); err != nil {
		t.Fatal(err)
	}
}
