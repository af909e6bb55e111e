package mdns

import (
	"strings"
	"testing"
	"time"
)

// Threat T14: what one host sends beyond its share is not read, and others are.
func TestOneSenderHasAShare(t *testing.T) {
	bubble(t, func(t *testing.T, a *air) {
		for range packetsBurst + 10 {
			a.say("10.0.0.66", "!evil.local. 120 IN A 10.0.0.66")
		}
		late := []string{
			"_http._tcp.local. 4500 IN PTR Late._http._tcp.local.", "!Late._http._tcp.local. 4500 IN SRV 0 0 81 evil.local.",
			"!Late._http._tcp.local. 4500 IN TXT \"x\"", "!evil.local. 120 IN A 10.0.0.66",
		}
		a.say("10.0.0.66", late...)
		a.say("10.0.0.5", plug(4500, "1")...)
		a.pass(100 * time.Millisecond)
		if s := a.state(); strings.Contains(s, "81") || !strings.Contains(s, plugState[1:]) {
			t.Errorf("after more packets than its share:\n%s", s)
		}
		a.pass(time.Second)
		a.say("10.0.0.66", late...)
		a.pass(time.Second)
		if s := a.state(); !strings.Contains(s, "81") {
			t.Errorf("not heard any more:\n%s", s)
		}
	})
}
