package hass

import (
	"context"
	"testing"
	"time"

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
		{name: "it says once more that it is there", settle: time.Second, messages: []string{"online"}, want: 43},
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

// sessionFunc is a session of which only Publish is used.
type sessionFunc func(...discovery.Message) error

func (f sessionFunc) Publish(_ context.Context, ms ...discovery.Message) error { return f(ms...) }
func (f sessionFunc) Sync(context.Context) error                               { return nil }
func (f sessionFunc) Connected(func(bool)) (bool, func())                      { return true, func() {} }
func (f sessionFunc) Subscribe(string, byte, func(discovery.Message)) func()   { return func() {} }
