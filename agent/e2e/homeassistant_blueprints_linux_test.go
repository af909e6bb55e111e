package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery/lab"
	"github.com/thingwarden/thingwarden/discovery/lab/bridges"
)

// soon is a time of "for" in minutes, as short as a test wants it.
const soon = 0.03

// TestHomeAssistantBlueprints shows that a real Home Assistant takes our
// blueprints, and that what they promise happens.
func TestHomeAssistantBlueprints(t *testing.T) {
	w := newWorld(t)
	zigbee := w.lab.Host("zigbee")
	late := w.lab.Host("late", lab.WithMAC("b8:27:eb:00:53:97"), lab.WithAddrs(), lab.Silent())
	z := bridges.StartZigbee2MQTT(t, zigbee, bridges.Zigbee2MQTTConfig{
		Broker: w.broker.Addr, Username: brokerUser, Password: brokerPassword})
	w.startAgent(t)
	s := w.ha.connect(t)
	s.waitState(time.Minute, macID(w.camera)+"_telnet_open", "on")
	s.waitState(time.Minute, macID(w.clean)+"_problem", "off")
	s.waitState(time.Minute, "hub_zigbee_join_open", "off")
	w.restart(t, judged...) // what was found is known, and there is no learning any more
	s.waitState(time.Minute, macID(w.clean)+"_problem", "off")

	b := &blueprints{world: w, phone: newPhone(t, w.ha, "Owner's phone 1"), zigbee: z, late: late}
	b.load(t)
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"new device", b.testNewDevice},
		{"new device, asked later and blocked", b.testLater},
		{"finding", b.testFinding},
		{"weekly digest", b.testDigest},
		{"Zigbee joining left open", b.testZigbee},
		{"firmware at night", b.testFirmware},
		{"gone silent", b.testSilent},
		{"restarts are no news", b.testRestarts},
		{"what devices say is no template", b.testTemplates},
		{"without a phone", b.testBell},
	} {
		if !t.Run(step.name, step.run) {
			t.Log(w.ha.proc.Output())
			break
		}
	}
	w.ha.checkLog(t)
}

type blueprints struct {
	*world
	phone  *phone
	zigbee *bridges.Zigbee2MQTT
	late   *lab.Host // says nothing yet
	made   int
}

// load imports all blueprints, as the dialogue does that the links open.
func (b *blueprints) load(t *testing.T) {
	t.Helper()
	s := b.ha.connect(t)
	files, err := filepath.Glob("../../ha-addon/blueprints/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no blueprints: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s.call("blueprint/save", map[string]any{"domain": "automation", "path": "thingwarden/" + filepath.Base(file), "yaml": string(text),
			"source_url": "https://github.com/thingwarden/thingwarden/blob/main/ha-addon/blueprints/" + filepath.Base(file)})
	}
	var list map[string]struct{ Error string }
	s.call("blueprint/list", map[string]any{"domain": "automation"}).into(&list)
	for _, file := range files {
		if e, ok := list["thingwarden/"+filepath.Base(file)]; !ok || e.Error != "" {
			t.Errorf("%s: there %v, error %q", file, ok, e.Error)
		}
	}
}

// automate makes an automation of a blueprint, as its form does, and waits until
// it runs.
func (b *blueprints) automate(t *testing.T, blueprint string, inputs map[string]any) (entity string) {
	t.Helper()
	b.made++
	id := fmt.Sprintf("test%d", b.made)
	entity = "automation." + id
	b.ha.post("/api/config/automation/config/"+id, map[string]any{
		"alias": id, "use_blueprint": map[string]any{"path": "thingwarden/" + blueprint + ".yaml", "input": inputs}})
	s := b.ha.connect(t)
	lab.WaitFor(t, 10*time.Second, "the automation of "+blueprint, func() bool {
		var states []struct {
			ID    string `json:"entity_id"`
			State string `json:"state"`
		}
		s.call("get_states", nil).into(&states)
		for _, x := range states {
			if x.ID == entity {
				return x.State == "on"
			}
		}
		return false
	})
	return entity
}

// toPhone adds the phone to inputs.
func (b *blueprints) toPhone(inputs map[string]any) map[string]any {
	inputs["phones"] = []string{b.phone.Device}
	return inputs
}

// publish is an action that tells the tests.
func publish(topic, payload string) []map[string]any {
	return []map[string]any{{"action": "mqtt.publish", "data": map[string]any{"topic": topic, "payload": payload, "retain": true}}}
}

func (b *blueprints) waitTopic(t *testing.T, topic, want string) {
	t.Helper()
	lab.WaitFor(t, 20*time.Second, topic+" to be "+want, func() bool { p, _ := b.onlooker.get(topic); return string(p) == want })
}

func tagged(tag string) func(notification) bool {
	return func(n notification) bool { return n.Data.Tag == tag && n.Message != "clear_notification" }
}

func (b *blueprints) testNewDevice(t *testing.T) {
	b.automate(t, "new-device", b.toPhone(map[string]any{
		"later": map[string]any{"seconds": 2}, "offer_block": true,
		"block": publish("test/blocked", "{{ mac }} {{ device }} {{ device_name }}"),
		"also":  publish("test/also", "{{ title }}: {{ message }}"),
	}))
	s := b.ha.connect(t)
	id := macID(b.newcomer)
	arrive(t, b.newcomer, "10.99.0.150")
	n := b.phone.wait(t, "new device", tagged("thingwarden-home-"+id))
	if n.Title != "New device in your home" || !strings.Contains(n.Message, b.newcomer.MAC().String()) || !strings.Contains(n.Message, "“") {
		t.Errorf("message %+v", n)
	}
	b.waitTopic(t, "test/also", n.Title+": "+n.Message)
	b.phone.press(t, n, "Trust")
	s.waitState(10*time.Second, id+"_trusted", "on")
	b.phone.waitCleared(t, n.Data.Tag)
	b.phone.none(t, "New device")
}

func (b *blueprints) testLater(t *testing.T) {
	s := b.ha.connect(t)
	id := macID(b.visitor)
	arrive(t, b.visitor, "10.99.0.151")
	first := b.phone.wait(t, "new device", tagged("thingwarden-home-"+id))
	s.waitState(20*time.Second, id+"_trusted", "off")
	b.phone.press(t, first, "Ask later")
	again := b.phone.wait(t, "asked later", tagged(first.Data.Tag))
	if again.Message != first.Message {
		t.Errorf("asked %q, and later %q", first.Message, again.Message)
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(again.Message, "“"), "”")
	b.phone.press(t, again, "Block")
	b.waitTopic(t, "test/blocked", b.visitor.MAC().String()+" "+id+" "+name)
	b.phone.waitCleared(t, first.Data.Tag)

	b.phone.press(t, again, "Ask later")
	s.action("switch.turn_on", map[string]any{"entity_id": s.entities()[id+"_trusted"].ID})
	b.phone.waitCleared(t, first.Data.Tag) // at once, by the switch
	b.phone.waitCleared(t, first.Data.Tag) // later, instead of the question
	b.phone.none(t, "New device")
}

func (b *blueprints) testFinding(t *testing.T) {
	b.automate(t, "finding", b.toPhone(map[string]any{"severity": "high"}))
	s := b.ha.connect(t)
	id := macID(b.clean)
	b.clean.Telnetd(t, 23)
	s.action("button.press", map[string]any{"entity_id": s.entities()[id+"_check"].ID})
	n := b.phone.wait(t, "finding", tagged("thingwarden-home-"+id+"-telnet-open"))
	if !strings.HasPrefix(n.Title, "High: Telnet log-in is open") || !strings.Contains(n.Message, "port 23") || !strings.Contains(n.Message, "To do: ") {
		t.Errorf("message %+v", n)
	}
	b.phone.press(t, n, "Accept for 30 days")
	f := s.wait(10*time.Second, id+"_telnet_open", "accepted", func(e entity) bool { return e.Attr["status"] == "accepted" })
	until, err := time.Parse(time.RFC3339, fmt.Sprint(f.Attr["accepted_until"]))
	if days := time.Until(until).Hours() / 24; err != nil || days < 30 || days > 31 {
		t.Errorf("accepted until %v, %v: %.1f days, want 30", f.Attr["accepted_until"], err, days)
	}
	b.phone.waitCleared(t, n.Data.Tag)
	b.phone.none(t, "Telnet")
}

// inSeconds is a time of the day that comes soon, in Home Assistant's time zone.
func inSeconds(n int) string {
	return time.Now().UTC().Add(time.Duration(n) * time.Second).Format(time.TimeOnly)
}

func (b *blueprints) testDigest(t *testing.T) {
	b.automate(t, "weekly-digest", b.toPhone(map[string]any{
		"days": []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}, "time": inSeconds(5), "lines": 1}))
	s := b.ha.connect(t)
	n := b.phone.wait(t, "digest", tagged("thingwarden-digest"))
	e := s.entities()
	if n.Title != "Security score: "+e["hub_score"].State+" of 100" {
		t.Errorf("title %q", n.Title)
	}
	camera := e[macID(b.camera)+"_telnet_open"].Attr
	want := fmt.Sprint("2 open:\n• high: ", camera["friendly_name"], "\n… and 1 more.\nIn seven days: 2 new, 0 fixed.\nDo next, for ", camera["friendly_name"], ": ",
		strings.TrimPrefix(strings.Split(fmt.Sprint(camera["remedy"]), "\n")[0], "1. "), "\nChecks that were not possible: ")
	if !strings.HasPrefix(n.Message, want) {
		t.Errorf("message %q, want %q in it", n.Message, want)
	}
}

// discover makes an entity of somebody else, by MQTT discovery.
func (b *blueprints) discover(t *testing.T, platform, id string, config map[string]any) string {
	t.Helper()
	config["unique_id"], config["default_entity_id"], config["name"] = id, platform+"."+id, id
	b.onlooker.publish("homeassistant/"+platform+"/"+id+"/config", string(mustJSON(t, config)), true)
	return platform + "." + id
}

func (b *blueprints) testZigbee(t *testing.T) {
	s := b.ha.connect(t)
	open := func(t *testing.T) {
		t.Helper()
		b.onlooker.publish("zigbee2mqtt/bridge/request/permit_join", `{"time": 254}`, false)
	}
	b.automate(t, "close-zigbee-joining", b.toPhone(map[string]any{"minutes": soon}))
	open(t)
	n := b.phone.wait(t, "joining", tagged("thingwarden-zigbee-joining"))
	if n.Title != "Zigbee was open for joining" {
		t.Errorf("message %+v", n)
	}
	s.waitState(10*time.Second, "hub_zigbee_join_open", "off")
	s.action("automation.turn_off", map[string]any{"entity_id": fmt.Sprintf("automation.test%d", b.made)})

	// With a switch, which does not what it should.
	id := b.discover(t, "switch", "permit_join", map[string]any{"command_topic": "test/permit_join/set"})
	b.automate(t, "close-zigbee-joining", b.toPhone(map[string]any{"minutes": soon, "switches": []string{id}}))
	open(t)
	b.waitTopic(t, "test/permit_join/set", "OFF")
	b.onlooker.publish("zigbee2mqtt/bridge/request/permit_join", `{"time": 0}`, false)
	b.phone.wait(t, "joining", tagged("thingwarden-zigbee-joining"))
}

func (b *blueprints) testFirmware(t *testing.T) {
	var ids []string
	for _, id := range []string{"lamp", "plug", "clock"} {
		b.onlooker.publish("test/"+id, `{"installed_version": "1", "latest_version": "2"}`, true)
		ids = append(ids, b.discover(t, "update", id, map[string]any{
			"state_topic": "test/" + id, "command_topic": "test/" + id + "/install", "payload_install": "install", "retain": true}))
	}
	b.automate(t, "firmware-at-night", b.toPhone(map[string]any{"updates": ids[:2], "start": inSeconds(5), "end": inSeconds(3600)}))
	b.waitTopic(t, "test/lamp/install", "install")
	if p, _ := b.onlooker.get("test/plug/install"); p != nil {
		t.Error("the second is installed before the first is done")
	}
	b.onlooker.publish("test/lamp", `{"installed_version": "2", "latest_version": "2"}`, true)
	b.waitTopic(t, "test/plug/install", "install")
	b.onlooker.publish("test/plug", `{"installed_version": "2", "latest_version": "2"}`, true)
	n := b.phone.wait(t, "firmware", tagged("thingwarden-firmware"))
	if n.Title != "Firmware is up to date" || n.Message != "Installed: lamp, plug." {
		t.Errorf("message %+v", n)
	}
	if p, _ := b.onlooker.get("test/clock/install"); p != nil {
		t.Error("a device was updated that was not chosen")
	}
}

func (b *blueprints) testSilent(t *testing.T) {
	s := b.ha.connect(t)
	entity := b.automate(t, "gone-silent", b.toPhone(map[string]any{"minutes": soon}))
	b.zigbee.Kill()
	n := b.phone.wait(t, "source", tagged("thingwarden-silent"))
	if n.Title != "Thingwarden does not see everything" || !strings.Contains(n.Message, "• zigbee2mqtt: down") {
		t.Errorf("message %+v", n)
	}
	b.agent.Kill()
	n = b.phone.wait(t, "agent", tagged("thingwarden-silent"))
	if n.Title != "Thingwarden has stopped" || !strings.HasPrefix(n.Message, "Your devices have not been checked for") {
		t.Errorf("message %+v", n)
	}
	b.agent.start()
	b.waitOnline(t)
	b.zigbee.Start(t)
	s.waitState(time.Minute, "hub_health", "off")
	b.phone.waitCleared(t, "thingwarden-silent")
	s.action("automation.turn_off", map[string]any{"entity_id": entity})
}

// testRestarts shows that an event entity which comes back is no news.
func (b *blueprints) testRestarts(t *testing.T) {
	b.end(t)
	s := b.ha.connect(t)
	b.waitUnavailable(s, 10*time.Second)
	b.agent.start()
	b.waitOnline(t)
	b.broker.Stop()
	b.waitUnavailable(s, 10*time.Second)
	b.broker.Start(b.ha.t)
	s.waitState(time.Minute, macID(b.camera)+"_telnet_open", "on")
	b.ha.stop(t)

	// We start while Home Assistant does not run, and cannot know that.
	b.end(t)
	b.agent.start()
	b.waitOnline(t)
	id := macID(b.late)
	sent := b.onlooker.count("device_appeared")
	arrive(t, b.late, "10.99.0.152")
	lab.WaitFor(t, 20*time.Second, "the event that nobody hears", func() bool { return b.onlooker.count("device_appeared") > sent })
	b.ha.run()
	b.ha.waitRunning(t)
	b.phone.wait(t, "new device", tagged("thingwarden-home-"+id))
	b.phone.none(t, "New device")
	b.phone.none(t, "Telnet")
}

// testTemplates forges an event with texts that our publisher would never let
// through: a blueprint must not be the place where they become a template
// (threat T7).
func (b *blueprints) testTemplates(t *testing.T) {
	const evil = `{{ 7 * 7 }}{% for x in range(9) %}!{% endfor %} (1, 2) !input phones`
	event := map[string]any{"event_type": "device_appeared", "seq": 1 << 40, "at": "2099-01-01T00:00:00Z", "site": "home",
		"device": "mac_020000000066", "device_name": evil}
	for range 2 { // one that is sent again is the same event
		b.onlooker.publish("thingwarden/home/event/device", string(mustJSON(t, event)), false)
	}
	n := b.phone.wait(t, "new device", tagged("thingwarden-home-mac_020000000066"))
	if want := "“" + evil + "” has appeared (02:00:00:00:00:66). Is it yours?"; n.Message != want {
		t.Errorf("message %q, want %q", n.Message, want)
	}
	event["event_type"], event["policy"], event["severity"] = "finding_opened", "telnet-open", "critical"
	event["title"], event["evidence"], event["remedy"] = evil, evil, evil
	b.onlooker.publish("thingwarden/home/event/finding", string(mustJSON(t, event)), false)
	n = b.phone.wait(t, "finding", tagged("thingwarden-home-mac_020000000066-telnet-open"))
	b.phone.none(t, "New device") // nor a late one from the restarts
	if want := "On “" + evil + "”.\nSeen: " + evil + "\nTo do: " + evil; n.Message != want || n.Title != "Critical: "+evil {
		t.Errorf("message %q, %q, want %q", n.Title, n.Message, want)
	}
}

// testBell shows that a blueprint without any setting tells the owner too.
func (b *blueprints) testBell(t *testing.T) {
	s := b.ha.connect(t)
	b.automate(t, "new-device", map[string]any{})
	event := map[string]any{"event_type": "device_appeared", "seq": 1<<40 + 1, "at": "2099-01-01T00:00:01Z", "site": "home",
		"device": "mac_020000000067", "device_name": "Somebody"}
	b.onlooker.publish("thingwarden/home/event/device", string(mustJSON(t, event)), false)
	lab.WaitFor(t, 10*time.Second, "the message under the bell", func() bool {
		list, err := json.Marshal(s.call("persistent_notification/get", nil).v)
		return err == nil && strings.Contains(string(list), "“Somebody” has appeared (02:00:00:00:00:67). Is it yours?")
	})
}
