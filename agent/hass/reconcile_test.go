package hass

import (
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
)

// TestConfigurationsOfADeviceKeepTheirDistance: Home Assistant loses what comes
// while it sets up what came before.
func TestConfigurationsOfADeviceKeepTheirDistance(t *testing.T) {
	now := noon
	p := New(nil, Options{Site: "home", Now: func() time.Time { return now }, Settle: func() time.Duration { return 3 * time.Second }})
	id := discovery.ID("mac_000c43000001")
	config := func(text string) deviceMessages {
		return deviceMessages{id: id, config: newMessage(p.n.config(id), []byte(text))}
	}
	plan := func(text string) (sent bool) {
		for _, m := range p.plan(config(text)) {
			p.mirror.send(m.message, m.keys, now)
			p.configured[id] = now
			sent = true
		}
		return sent
	}
	for _, tt := range []struct {
		name  string
		after time.Duration
		in    string
		want  bool
	}{
		{"the first at once", 0, `{"a":1}`, true},
		{"the next has to wait", time.Second, `{"a":1,"b":1}`, false},
		{"and is sent when it has", 2 * time.Second, `{"a":1,"b":1}`, true},
		{"the same again is not", 5 * time.Second, `{"a":1,"b":1}`, false},
		{"another, later, at once", 0, `{"a":1}`, true},
	} {
		now = now.Add(tt.after)
		if got := plan(tt.in); got != tt.want {
			t.Errorf("%s: sent %v, want %v", tt.name, got, tt.want)
		}
		if waits := !p.next.IsZero(); tt.name == "the next has to wait" && !waits {
			t.Error("nothing wakes the publisher when the time has come")
		}
		p.next = time.Time{}
	}
}
