package hass

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/thingwarden/thingwarden/agent/broker"
	"github.com/thingwarden/thingwarden/agent/broker/brokertest"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/policy"
)

const camera = "mac_ecfabc001122"

var at = names{"home", "homeassistant"}

// index returns where a topic was first sent.
func index(s []string, topic string) int { return slices.Index(s, topic) }

func TestPublish(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		o := observe(t, b, "observer")
		a := startAgent(t, b, Memory{}, nil)
		s := snapshot()
		a.publish(s)
		o.expect(wanted(s))
		sent := o.sent()
		hub, first := index(sent, at.config(discovery.Hub)), index(sent, at.state(discovery.Hub))
		for _, d := range messages(s, testOptions(), nil) {
			c := index(sent, d.config.topic)
			for _, m := range d.states {
				if index(sent, m.topic) < c {
					t.Errorf("%s was sent before its configuration", m.topic)
				}
			}
			if d.id != discovery.Hub && (c < hub || c < first) {
				t.Errorf("%s was sent before the hub", d.config.topic)
			}
		}
		schema := discoverySchema(t)
		for topic, payload := range o.held() {
			if strings.HasSuffix(topic, "/config") {
				validate(t, schema, []byte(payload))
			}
		}
		// The same again sends nothing, and a change sends only what changed.
		o.reset()
		a.publish(s)
		a.publish(snapshot())
		if got := o.sent(); got != nil {
			t.Errorf("the same snapshot again sent %v", got)
		}
		s = snapshot()
		s.Devices[2].Findings[1].Status = policy.Resolved
		a.publish(s)
		o.expect(wanted(s))
		want := []string{at.state(discovery.Hub), at.state(camera), at.finding(camera, "telnet-open")}
		if d := cmp.Diff(want, o.sent(), cmpopts.SortSlices(strings.Compare)); d != "" {
			t.Error(d)
		}
	})
}

func TestRestartOfTheAgentSendsNothing(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		o := observe(t, b, "observer")
		a := startAgent(t, b, Memory{}, nil)
		s := snapshot()
		a.publish(s)
		a.end()
		eventually(t, "offline", func() bool { return o.held()[StatusTopic("home")] == Offline })
		o.reset()
		a = startAgent(t, b, a.remembered(), nil)
		a.publish(s)
		if d := cmp.Diff([]string{StatusTopic("home")}, o.sent()); d != "" {
			t.Error(d)
		}
		o.expect(wanted(s))
	})
}

func TestBrokerDiesAndReturnsEmpty(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		a := startAgent(t, b, Memory{}, nil)
		s := snapshot()
		a.publish(s)
		b.stop()
		eventually(t, "down", func() bool { up, _ := a.session.State(); return !up })
		s = snapshot()
		s.Devices[2].Trusted = true
		if err := a.p.Publish(t.Context(), s); err == nil {
			t.Error("published without a broker")
		}
		b.start()
		o := observe(t, b, "observer")
		o.expect(wanted(s)) // nobody calls Publish again
		if got := a.hidden(); got != nil {
			t.Errorf("taken for deleted: %v", got)
		}
	})
}

func TestBrokerReturnsWithWhatItHad(t *testing.T) {
	m := brokertest.StartMosquitto(t, true)
	b := server{config: broker.Config{URL: m.URL(), Username: brokertest.Username, Password: brokertest.Password}}
	a := startAgent(t, b, Memory{}, nil)
	s := snapshot()
	a.publish(s)
	m.Stop()
	eventually(t, "down", func() bool { up, _ := a.session.State(); return !up })
	m.Start()
	o := observe(t, b, "observer")
	eventually(t, "up", func() bool { up, _ := a.session.State(); return up })
	a.publish(s)
	o.expect(wanted(s))
	if got := topics(o.sent(), "/config"); len(got) > 0 {
		t.Errorf("configurations were sent again: %v", got)
	}
}

// TestBrokerLostTheNewest is a power cut: Mosquitto saves every half hour only,
// so the newest device is gone with its state, and nobody deleted it.
func TestBrokerLostTheNewest(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		o := observe(t, b, "observer")
		a := startAgent(t, b, Memory{}, nil)
		s := snapshot()
		a.publish(s)
		a.end()
		for topic := range o.held() {
			if strings.Contains(topic, camera) {
				o.send(topic, "", true)
			}
		}
		a = startAgent(t, b, a.remembered(), nil)
		a.publish(s)
		o.expect(wanted(s))
	})
}

// deleteInUI does what Home Assistant does when its user deletes a device: an
// empty retained configuration, twice.
func (o *observer) deleteInUI(id discovery.ID) {
	o.send(at.config(id), "", true)
	o.send(at.config(id), "", true)
}

func TestUserDeletesADevice(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		o := observe(t, b, "observer")
		a := startAgent(t, b, Memory{}, nil)
		s := snapshot()
		a.publish(s)
		o.deleteInUI(camera)
		o.expect(wanted(s, camera))
		if d := cmp.Diff([]discovery.ID{camera}, a.hidden()); d != "" {
			t.Error(d)
		}
		s = snapshot()
		for i := range s.Devices {
			s.Devices[i].Hidden = s.Devices[i].ID == camera
		}
		a.publish(s)
		o.expect(wanted(s, camera))
		// It stays deleted over a restart of the agent, and of the broker.
		a.end()
		a = startAgent(t, b, a.remembered(), nil)
		a.publish(s)
		o.expect(wanted(s, camera))
		b.stop()
		eventually(t, "down", func() bool { up, _ := a.session.State(); return !up })
		b.start()
		o2 := observe(t, b, "observer2")
		o2.expect(wanted(s, camera))
		// Until somebody asks for it.
		a.publish(snapshot())
		o2.expect(wanted(snapshot()))
	})
}

// A deletion that is refused does not hold.
func TestDeletionIsRefused(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		o := observe(t, b, "observer")
		a := startAgent(t, b, Memory{}, nil)
		s := snapshot()
		a.publish(s)
		a.mu.Lock()
		a.fail = errors.New("no space left on the device")
		a.mu.Unlock()
		o.deleteInUI(camera)
		eventually(t, "refusal", func() bool { return a.hidden() != nil })
		o.expect(wanted(s))
	})
}

func TestUserDeletesTheHub(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		o := observe(t, b, "observer")
		a := startAgent(t, b, Memory{}, nil)
		s := snapshot()
		a.publish(s)
		o.deleteInUI(discovery.Hub)
		o.expect(wanted(s)) // it is always published again
		if got := a.hidden(); got != nil {
			t.Errorf("taken for deleted: %v", got)
		}
	})
}

func TestUserDeletesADeviceWhileTheAgentIsAway(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		o := observe(t, b, "observer")
		a := startAgent(t, b, Memory{}, nil)
		s := snapshot()
		a.publish(s)
		a.end()
		o.deleteInUI(camera)
		a = startAgent(t, b, a.remembered(), nil)
		a.publish(s)
		o.expect(wanted(s, camera))
	})
}

func TestBirthOfHomeAssistant(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		o := observe(t, b, "observer")
		a := startAgent(t, b, Memory{}, nil)
		s := snapshot()
		a.publish(s)
		// The events follow when Home Assistant listens to them; one of the three is too old.
		for end := time.Now().Add(10 * time.Second); len(topics(o.sent(), "/event/")) < 2; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("of two events only %v were sent", topics(o.sent(), "/event/"))
			}
		}
		o.reset()
		// It may have missed the events.
		o.send("homeassistant/status", "online", false)
		for end := time.Now().Add(10 * time.Second); len(topics(o.sent(), "/event/")) < 2; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("of two events only %v were sent again", topics(o.sent(), "/event/"))
			}
		}
		o.reset()
		o.send("homeassistant/status", "online", false)
		// The broker is read again before the next snapshot.
		a.publish(s)
		if got := topics(o.sent(), "thingwarden"); len(got) > 0 {
			t.Errorf("birth sent %v though nothing differs", got)
		}
	})
}

// TestForgery is about threat T10 of the catalogue.
func TestForgery(t *testing.T) {
	for _, tt := range []struct{ name, topic, payload string }{
		{"all clear", at.finding(camera, "telnet-open"), `{"state":"OFF","attr":{}}`},
		{"state cleared", at.state(camera), ""},
		{"configuration", at.config(camera), `{"device":{"ids":["x"]},"o":{"name":"x"},"cmps":{"evil":{"p":"button","unique_id":"e","command_topic":"x"}}}`},
		{"no JSON", at.config(camera), `{{ evil }}`},
		{"device that is not there", at.config("mac_666666666666"), `{"device":{"ids":["x"]}}`},
		{"finding that is not there", at.finding(camera, "fake"), `{"state":"ON"}`},
		{"said offline", StatusTopic("home"), Offline},
		{"status cleared", StatusTopic("home"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			brokers(t, func(t *testing.T, b server) {
				o := observe(t, b, "observer")
				a := startAgent(t, b, Memory{}, func(o *Options) { o.Linger = time.Nanosecond; o.Now = time.Now })
				s := snapshot()
				s.Events = nil
				a.publish(s)
				o.expect(wanted(s))
				o.reset()
				o.send(tt.topic, tt.payload, true)
				o.expect(wanted(s))
				if tt.name == "configuration" {
					// First the forged entity goes, then the configuration is ours again.
					got := o.payloads(tt.topic)
					if len(got) != 3 || !strings.Contains(got[1], `"evil":{"platform":"button"}`) {
						t.Errorf("sent %q", got)
					}
				}
				a.mu.Lock()
				defer a.mu.Unlock()
				if !strings.Contains(a.log.String(), "somebody else writes") {
					t.Errorf("nothing in the log: %s", a.log.String())
				}
			})
		})
	}
}

func TestWhoKeepsForgingIsNotAnsweredEachTime(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		o := observe(t, b, "observer")
		a := startAgent(t, b, Memory{}, func(o *Options) { o.Now = time.Now })
		s := snapshot()
		s.Events = nil
		a.publish(s)
		o.reset()
		topic := at.state(camera)
		for i := range 200 {
			o.send(topic, fmt.Sprint(i), true)
		}
		o.expect(wanted(s))
		repairs := 0
		for _, p := range o.payloads(topic) {
			if strings.HasPrefix(p, "{") {
				repairs++
			}
		}
		if repairs > 10 {
			t.Errorf("200 forgeries were answered %d times", repairs)
		}
	})
}

func TestComponentsThatGo(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		now := noon
		o := observe(t, b, "observer")
		a := startAgent(t, b, Memory{}, func(o *Options) { o.Now = func() time.Time { return now } })
		s := snapshot()
		a.publish(s)
		o.expect(wanted(s))
		o.reset()
		s = snapshot()
		s.Devices[2].Findings = s.Devices[2].Findings[:1] // telnet-open was forgotten
		a.publish(s)
		topic := at.config(camera)
		reduced := o.payloads(topic)
		if len(reduced) != 1 || !strings.Contains(reduced[0], `"telnet_open":{"platform":"binary_sensor"}`) {
			t.Fatalf("sent %q", reduced)
		}
		want := wanted(s)
		if want[topic] == reduced[0] {
			t.Fatal("the test tells nothing")
		}
		want[topic] = reduced[0]
		o.expect(want) // its state topic is gone
		o.reset()
		a.publish(s)
		if got := o.sent(); got != nil {
			t.Errorf("the same snapshot again sent %v", got)
		}
		// It is the same over a restart, and later the component is left out.
		a.end()
		now = now.Add(time.Hour)
		a = startAgent(t, b, a.remembered(), func(o *Options) { o.Now = func() time.Time { return now } })
		a.publish(s)
		o.expect(want)
		a.end()
		a = startAgent(t, b, a.remembered(), func(o *Options) { o.Linger = time.Nanosecond; o.Now = time.Now })
		s.Events = nil
		a.publish(s)
		o.expect(wanted(s))
	})
}

func TestDevicesThatGo(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		o := observe(t, b, "observer")
		a := startAgent(t, b, Memory{}, nil)
		s := snapshot()
		a.publish(s)
		o.reset()
		s = snapshot()
		s.Devices = slices.Delete(s.Devices, 2, 3)
		a.publish(s)
		o.expect(wanted(s))
		sent := topics(o.sent(), camera)
		if len(sent) != 4 || sent[0] != at.config(camera) {
			t.Errorf("cleared %v", sent)
		}
		// It may return: clearing it was our own doing.
		s = snapshot()
		a.publish(s)
		o.expect(wanted(s))
		if got := a.hidden(); got != nil {
			t.Errorf("taken for deleted: %v", got)
		}
	})
}

func TestKilledAgentIsOffline(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		o := observe(t, b, "observer")
		cfg := b.config
		cfg.Will = &broker.Message{Topic: StatusTopic("home"), Payload: []byte(Offline), QoS: 1, Retained: true}
		cfg.Birth = &broker.Message{Topic: StatusTopic("home"), Payload: []byte(Online), QoS: 1, Retained: true}
		runSession(t, cfg, "thingwarden-home-1")
		eventually(t, "online", func() bool { return o.held()[StatusTopic("home")] == Online })
		// A second client of the same id throws the first off, as a dead one is.
		cfg.Will, cfg.Birth = nil, nil
		_, end := runSession(t, cfg, "thingwarden-home-1")
		end()
		eventually(t, "will", func() bool { return slices.Contains(o.payloads(StatusTopic("home")), Offline) })
	})
}

func TestEvents(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		o := observe(t, b, "observer")
		a := startAgent(t, b, Memory{}, nil)
		s := snapshot()
		a.publish(s)
		seqs := func() (out []uint64) {
			for _, topic := range []string{at.event(deviceEvents), at.event(findingEvents)} {
				for _, p := range o.payloads(topic) {
					var e event
					if err := json.Unmarshal([]byte(p), &e); err != nil {
						t.Error(err)
					}
					out = append(out, e.Seq)
				}
			}
			return out
		}
		eventually(t, "events 42 and 43", func() bool { return slices.Equal(seqs(), []uint64{42, 43}) })
		// None is retained, none comes twice, a restart goes on where it was.
		if len(observe(t, b, "late").payloads(at.event(deviceEvents))) > 0 {
			t.Error("an event is retained")
		}
		a.publish(s)
		a.end()
		a = startAgent(t, b, a.remembered(), nil)
		s = snapshot()
		s.Events = append(s.Events, report.Event{Seq: 44, At: noon, Type: report.DeviceGone, Device: camera})
		a.publish(s)
		eventually(t, "event 44 alone", func() bool { return slices.Equal(seqs(), []uint64{42, 44, 43}) })
		if m := a.remembered(); m.Event != 44 {
			t.Errorf("remembered event %d", m.Event)
		}
	})
}

func TestEventsWaitForTheBroker(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		a := startAgent(t, b, Memory{}, nil)
		first := snapshot()
		first.Events = nil
		a.publish(first)
		b.stop()
		eventually(t, "down", func() bool { up, _ := a.session.State(); return !up })
		if err := a.p.Publish(t.Context(), snapshot()); err == nil {
			t.Error("published without a broker")
		}
		if m := a.remembered(); m.Event > 41 { // which is too old to be sent
			t.Errorf("event %d counts as sent", m.Event)
		}
		b.start()
		eventually(t, "events", func() bool { return a.remembered().Event == 43 })
	})
}

func TestCommands(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		o := observe(t, b, "observer")
		o.send("thingwarden/home/command", `{"request":"old","action":"trust","device":"`+camera+`"}`, true)
		a := startAgent(t, b, Memory{}, nil)
		a.publish(snapshot())
		o.reset()
		for _, c := range []struct{ topic, payload string }{
			{at.command(camera, "trusted"), "ON"},
			{at.command(camera, "trusted"), "OFF"},
			{at.command(camera, "check"), "PRESS"},
			{at.command(discovery.Hub, "check"), "PRESS"},
			{"thingwarden/home/command", `{"request":"7","action":"accept","device":"` + camera + `","policy":"telnet-open","reason":"a\u001b[31mb","until":"2027-01-31T00:00:00Z"}`},
			{"thingwarden/home/command", `{"request":"8","action":"explode","device":"` + camera + `"}`},
		} {
			o.send(c.topic, c.payload, false)
		}
		o.send(at.command(camera, "trusted"), "ON", true) // live, though retained: is carried out
		eventually(t, "answers", func() bool { return len(o.payloads(at.result())) == 7 })
		var failed []string
		for _, p := range o.payloads(at.result()) {
			if strings.Contains(p, `"ok":false`) {
				failed = append(failed, p)
			}
		}
		want := []string{`{"request":"8","ok":false,"error":"unknown action \"explode\"; there are trust, untrust, accept, unaccept, recheck, name, class, room, listen_only, mute, forget, merge, split, hide, unhide, pause"}`}
		if d := cmp.Diff(want, failed); d != "" {
			t.Error(d)
		}
		a.mu.Lock()
		got := slices.Clone(a.commands)
		a.mu.Unlock()
		wantCommands := []report.Command{
			{Action: report.Trust, Device: camera}, {Action: report.Untrust, Device: camera}, {Action: report.Recheck, Device: camera},
			{Action: report.Recheck, Device: discovery.Hub}, {Action: report.Trust, Device: camera},
			{Action: report.Accept, Device: camera, Policy: "telnet-open", Reason: "a[31mb", Until: time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)},
		}
		if d := cmp.Diff(wantCommands, got, cmpopts.SortSlices(func(a, b report.Command) bool { return fmt.Sprint(a) < fmt.Sprint(b) })); d != "" {
			t.Error(d)
		}
		// What the agent refuses is told.
		a.mu.Lock()
		a.fail = errors.New("there is no such device")
		a.mu.Unlock()
		o.reset()
		o.send("thingwarden/home/command", `{"request":"9","action":"trust","device":"mac_000000000001"}`, false)
		eventually(t, "refusal", func() bool {
			return slices.Equal(o.payloads(at.result()), []string{`{"request":"9","ok":false,"error":"there is no such device"}`})
		})
	})
}

func TestPurge(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		o := observe(t, b, "observer")
		o.send("homeassistant/device/thingwarden_cabin_hub/config", "{}", true)
		o.send("homeassistant/device/other/config", "{}", true)
		a := startAgent(t, b, Memory{}, nil)
		s := snapshot()
		a.publish(s)
		a.end()
		session, _ := runSession(t, b.config, "purge")
		n, err := Purge(t.Context(), adapter{session, new(atomic.Int64)}, "home", "")
		if err != nil || n != len(wanted(s)) {
			t.Errorf("purged %d of %d, %v", n, len(wanted(s)), err)
		}
		o.expect(map[string]string{"homeassistant/device/thingwarden_cabin_hub/config": "{}", "homeassistant/device/other/config": "{}"})
		// After that, all is published again: nobody deleted anything.
		a = startAgent(t, b, a.remembered(), nil)
		a.publish(s)
		eventually(t, "all topics", func() bool { return len(o.held()) == len(wanted(s))+2 })
	})
}

// TestOnlyInformation: a finding has no entity while it only informs.
func TestOnlyInformation(t *testing.T) {
	brokers(t, func(t *testing.T, b server) {
		o := observe(t, b, "observer")
		a := startAgent(t, b, Memory{}, func(o *Options) { o.Linger = time.Nanosecond; o.Now = time.Now })
		for _, sev := range []policy.Severity{policy.High, policy.Info, policy.Low} {
			s := snapshot()
			s.Devices[2].Findings[1].Severity, s.Events = sev, nil
			a.publish(s)
			o.expect(wanted(s))
			_, shown := o.held()[at.finding(camera, "telnet-open")]
			listed := strings.Contains(o.held()[at.state(camera)], `"policy":"telnet-open"`)
			if only := sev == policy.Info; shown == only || listed != only {
				t.Errorf("%s: has an entity: %v, stands in the device's attributes: %v", sev, shown, listed)
			}
		}
	})
}

// large is a home of n devices with three findings each.
func large(n int) *report.Snapshot {
	s := snapshot()
	s.Devices, s.Events = s.Devices[:1], nil
	for i := range n {
		hex := fmt.Sprintf("02fabc%06x", i)
		d := snapshot().Devices[2]
		d.ID, d.IDs = discovery.ID("mac_"+hex), []discovery.Identifier{mac(hex)}
		d.Findings = []policy.Finding{
			finding(telnetOpen, policy.Open, policy.High, "tcp/23: login:"),
			finding(basicClear, policy.Open, policy.Medium, "tcp/80: 401 Basic"),
			finding(joinOpen, policy.Resolved, policy.Low),
		}
		s.Devices = append(s.Devices, d)
	}
	return s
}

// TestManyDevices is more than Mosquitto keeps waiting for one client.
func TestManyDevices(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	brokers(t, func(t *testing.T, b server) {
		a := startAgent(t, b, Memory{}, nil)
		s := large(500)
		a.publish(s)
		if got, want := int(a.sent.Load()), len(wanted(s))-1; got != want {
			t.Errorf("sent %d messages, want %d", got, want)
		}
		a.end()
		a = startAgent(t, b, a.remembered(), nil)
		a.publish(s)
		if n := a.sent.Load(); n != 0 {
			t.Errorf("sent %d messages again", n)
		}
		if m := a.remembered(); a.hidden() != nil || len(m.Published) != 501 {
			t.Errorf("%d published, deleted %v", len(m.Published), a.hidden())
		}
	})
}
