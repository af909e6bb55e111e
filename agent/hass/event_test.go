package hass

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

// TestEventsWaitForHomeAssistant is about a Home Assistant that restarts, and
// one that has just been told of the event entities.
func TestEventsWaitForHomeAssistant(t *testing.T) {
	tests := []struct {
		name     string
		settle   time.Duration
		messages []string // of Home Assistant
		later    time.Duration
		want     uint64 // the last event that is done with; 41 is too old to be news
	}{
		{name: "it is there", want: 43},
		{name: "it does not listen yet", settle: time.Second, want: 41},
		{name: "it listens", settle: time.Second, later: time.Second, want: 43},
		{name: "it has ended", messages: []string{"offline"}, want: 41},
		{name: "it has ended for good", messages: []string{"offline"}, later: returnsWithin, want: 43},
		{name: "it says once more that it is there", settle: time.Second, messages: []string{"online", "later", "online"}, want: 43},
		{name: "it has just come", settle: time.Second, messages: []string{"online"}, want: 41},
		{name: "it is back", messages: []string{"offline", "online"}, want: 43},
		{name: "it is back and does not listen yet", settle: time.Second, messages: []string{"offline", "online"}, want: 41},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now := noon
			p := New(nil, Options{Site: "home", Now: func() time.Time { return now }, Settle: func() time.Duration { return tt.settle }})
			if tt.messages == nil {
				p.deaf = now.Add(tt.settle)
			}
			sent := 0
			p.session = sessionFunc(func(...discovery.Message) error { sent++; return nil })
			for _, m := range tt.messages {
				if m == "later" {
					now = now.Add(tt.settle)
				}
				p.born(discovery.Message{Payload: []byte(m)})
			}
			now = now.Add(tt.later)
			if err := p.sendEvents(t.Context(), snapshot()); err != nil {
				t.Fatal(err)
			}
			if p.event != tt.want || sent != int(tt.want)-41 {
				t.Errorf("%d sent, the last one done with is %d, want %d", sent, p.event, tt.want)
			}
			if waits := !p.next.IsZero(); waits != (tt.want == 41) {
				t.Errorf("next = %v", p.next)
			}
		})
	}
}

// TestEventsThatHomeAssistantMissed is about events that were sent while it did not
// run: they are sent once more when it comes, and never those that it had.
func TestEventsThatHomeAssistantMissed(t *testing.T) {
	send := "send"
	for _, tt := range []struct {
		name  string
		steps []string // connections, messages of Home Assistant, and events that happen and are sent
		want  []uint64
	}{
		{"it was there all the time", []string{"up", send, send}, []uint64{1, 2}},
		{"it comes after we did", []string{"up", send, send, "online"}, []uint64{1, 2, 1, 2}},
		{"it comes again", []string{"up", send, "online", send, "online"}, []uint64{1, 1, 2}},
		{"it restarts", []string{"up", "online", send, "offline", "online"}, []uint64{1}},
		{"it restarts, we came late", []string{"up", send, "offline", "online"}, []uint64{1}},
		{"it restarts, and something happens meanwhile", []string{"up", send, "offline", send, "online", send}, []uint64{1, 2, 3}},
		{"it stays away for long", []string{"up", "online", send, "offline", "wait", send, "online"}, []uint64{1, 2, 2}},
		{"it comes when all is old", []string{"up", send, "wait", "wait", "online"}, []uint64{1}},
		{"the connection breaks", []string{"up", send, "down", send, "up"}, []uint64{1, 2}},
		{"the broker restarts and it comes after us", []string{"up", "online", send, "down", send, "up", send, "online"}, []uint64{1, 2, 3, 2, 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := noon
			p := New(nil, Options{Site: "home", Now: func() time.Time { return now }, Settle: func() time.Duration { return 0 }})
			var got []uint64
			p.session = sessionFunc(func(ms ...discovery.Message) error {
				var e event
				if err := json.Unmarshal(ms[0].Payload, &e); err != nil {
					t.Fatal(err)
				}
				got = append(got, e.Seq)
				return nil
			})
			s := &report.Snapshot{Site: "home"}
			for _, step := range tt.steps {
				switch step {
				case "up", "down":
					p.connected(step == "up")
				case "online", "offline":
					p.born(discovery.Message{Payload: []byte(step)})
				case "wait":
					now = now.Add(returnsWithin + time.Second)
				case send:
					s.Events = append(s.Events, report.Event{Seq: uint64(len(s.Events) + 1), At: now, Type: report.DeviceAppeared, Device: "mac_000000000001"})
				}
				if !p.up {
					continue // a pass ends before it comes to events
				}
				if err := p.sendEvents(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("events sent (-want +got):\n%s", d)
			}
		})
	}
}

// sessionFunc is a session of which only Publish is used.
type sessionFunc func(...discovery.Message) error

func (f sessionFunc) Publish(_ context.Context, ms ...discovery.Message) error { return f(ms...) }
func (f sessionFunc) Sync(context.Context) error                               { return nil }
func (f sessionFunc) Connected(func(bool)) (bool, func())                      { return true, func() {} }
func (f sessionFunc) Subscribe(string, byte, func(discovery.Message)) func()   { return func() {} }
