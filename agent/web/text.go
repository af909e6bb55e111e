package web

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

const (
	maxName = 64  // runes of a device's name (threat T8)
	maxInfo = 100 // runes of a manufacturer, model, version or value
	maxText = 500 // runes of evidence and reasons
)

// due says by when something should be done about a finding.
func due(s policy.Severity) string {
	switch s {
	case policy.Critical:
		return "act now"
	case policy.High:
		return "today"
	case policy.Medium:
		return "this week"
	case policy.Low:
		return "when convenient"
	default:
		return "good to know"
	}
}

// remark says where a finding is in its life; empty for open.
func remark(f policy.Finding) string {
	switch f.Status {
	case policy.Stale:
		return "seen before, could not be checked since"
	case policy.Lapsed:
		return "seen long ago, could not be checked since"
	case policy.Away:
		return "when the device was last here"
	case policy.Resolved:
		return "fixed " + day(f.Changed)
	case policy.Accepted:
		if f.Acceptance == nil {
			return "accepted by you"
		}
		text := "accepted by you"
		if !f.Acceptance.Until.IsZero() {
			text += " until " + day(f.Acceptance.Until)
		}
		if reason := fact.Clean(f.Acceptance.Reason, maxText); reason != "" {
			text += ": " + reason
		}
		return text
	}
	return ""
}

// condition says in one word how a part of Thingwarden is.
func condition(s discovery.Status) string {
	switch s {
	case discovery.OK:
		return "works"
	case discovery.Degraded:
		return "sees only a part"
	case discovery.Down:
		return "does not work"
	default:
		return "starting"
	}
}

// part names a part of Thingwarden for people.
func part(name string) string {
	if probe, ok := strings.CutPrefix(name, "probe "); ok {
		return "Questions: " + fact.Clean(probe, maxName)
	}
	known := map[string]string{
		"homeassistant": "Home Assistant", "mdns": "Announcements (mDNS)", "mqtt": "MQTT broker", "neighbours": "Addresses in the network",
		"network": "Home network", "ssdp": "Announcements (SSDP)", "zigbee2mqtt": "Zigbee2MQTT", "zwavejs": "Z-Wave JS", "static": "Your device list", "web": "This page",
	}
	return cmp.Or(known[name], fact.Clean(name, maxName))
}

// what says what sort of device it is, as far as known: "camera, ExampleCam C1".
func what(kind, class, maker, model string) string {
	sort := cmp.Or(class, map[string]string{"zigbee": "Zigbee device", "zwave": "Z-Wave device", "matter": "Matter device", "hub": "this hub"}[kind])
	product := strings.TrimSpace(fact.Clean(maker, maxInfo) + " " + fact.Clean(model, maxInfo))
	return strings.Trim(fact.Clean(sort, maxInfo)+", "+product, ", ")
}

// paragraphs are the lines of a policy's text, without empty ones.
func paragraphs(s string) []string {
	var out []string
	for line := range strings.SplitSeq(s, "\n") {
		if line = fact.Clean(line, 2000); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// value writes a fact's value.
func value(v any) string {
	switch x := v.(type) {
	case bool:
		if x {
			return "yes"
		}
		return "no"
	case []string:
		return fact.Clean(strings.Join(x, ", "), maxText)
	case time.Time:
		return moment(x)
	default:
		return fact.Clean(fmt.Sprint(v), maxText)
	}
}

func day(t time.Time) string { return t.Local().Format("2 January 2006") }

func moment(t time.Time) string {
	if t.IsZero() {
		return "not yet"
	}
	return t.Local().Format("2 January 2006, 15:04")
}

// count is a number and its noun: "1 device", "2 devices".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
