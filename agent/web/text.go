package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
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
		return "now"
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
		text := "accepted by you, without an end"
		if !f.Acceptance.Until.IsZero() {
			text = "accepted by you until " + day(f.Acceptance.Until)
		}
		if reason := fact.Clean(f.Acceptance.Reason, maxText); reason != "" {
			text += ": " + reason
		}
		return text
	}
	return ""
}

// condition says in a few words how a part of Thingwarden is.
func condition(s discovery.Status) string {
	switch s {
	case discovery.OK:
		return "works"
	case discovery.Degraded:
		return "works in part"
	case discovery.Down:
		return "does not work"
	default:
		return "starting"
	}
}

// part names a part of Thingwarden for people.
func part(name, title string) string {
	if probe, ok := strings.CutPrefix(name, "probe "); ok {
		return "Questions to devices: " + fact.Clean(probe, maxName)
	}
	if id, ok := strings.CutPrefix(name, "policy "); ok {
		return "Policy " + fact.Clean(id, maxName)
	}
	known := map[string]string{
		"control": "Command line", "mqtt": "MQTT broker", "network": "Home network", "web": "This page", "ingress": "This page in Home Assistant",
		"state": "Files with decisions and state",
	}
	return cmp.Or(title, known[name], fact.Clean(name, maxName))
}

// titleOf is the one name of a device. The hub stands for the home as a whole.
func titleOf(d report.Device) string {
	if d.ID == discovery.Hub {
		return "This home"
	}
	return cmp.Or(d.Title, string(d.ID))
}

// kindOf says what a device is by its network, where that says anything.
func kindOf(kind string) string {
	return map[string]string{"zigbee": "Zigbee device", "zwave": "Z-Wave device", "matter": "Matter device", "hub": "Hub"}[kind]
}

// what says what sort of device it is, as far as known: "Camera · ExampleCam C1".
func what(d report.Device) string {
	sort := cmp.Or(className(d.Class), kindOf(d.Kind))
	product := strings.TrimSpace(fact.Clean(cmp.Or(d.Maker, d.Manufacturer), maxInfo) + " " + fact.Clean(d.Model, maxInfo))
	return strings.Trim(sort+" · "+product, " ·")
}

// className is a class of device for people.
func className(s string) string {
	s = fact.Clean(s, maxInfo)
	switch s {
	case "":
		return ""
	case "tv", "ups":
		return strings.ToUpper(s)
	case "accesspoint":
		return "Access point"
	case "networkswitch":
		return "Network switch"
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// address is the plainest address of a device: IPv4, IPv6 or that of its radio.
func address(d report.Device) string {
	for _, a := range d.Addrs() {
		return a.WithZone("").String()
	}
	for _, i := range d.IDs {
		switch i.Kind {
		case discovery.ZigbeeID:
			return "0x" + i.Value
		case discovery.ZWaveID:
			_, node, _ := strings.Cut(i.Value, "_")
			return "node " + node
		case discovery.MACID:
			return discovery.FormatMAC(i.Value)
		}
	}
	return ""
}

// iconOf is the name of the symbol for a class of device.
func iconOf(d report.Device) string {
	if d.ID == discovery.Hub {
		return "hub"
	}
	switch d.Class {
	case "camera", "doorbell":
		return "camera"
	case "computer", "storage", "recorder":
		return "computer"
	case "light", "printer", "phone":
		return d.Class
	case "lock", "keypad", "garage":
		return "lock"
	case "media", "console", "tv":
		return "media"
	case "tablet":
		return "phone"
	case "plug", "switch", "remote", "charger":
		return "plug"
	case "router", "bridge", "hub", "accesspoint", "networkswitch":
		return "router"
	case "sensor", "alarm", "siren", "speaker":
		return "sensor"
	case "thermostat", "valve", "inverter":
		return "climate"
	case "appliance", "medical", "vacuum", "ups", "cover":
		return "appliance"
	}
	if d.Kind == "zigbee" || d.Kind == "zwave" {
		return "radio"
	}
	return "device"
}

// steps are those of a remedy.
func steps(remedy string) []string {
	all := policy.RemedySteps(remedy)
	for i, s := range all {
		all[i] = fact.Clean(s, 2000)
	}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
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
		return cmp.Or(fact.Clean(strings.Join(x, ", "), maxText), "none")
	case time.Time:
		return moment(x)
	default:
		return fact.Clean(fmt.Sprint(v), maxText)
	}
}

// waits reports whether a device came after the learning period and nobody has
// said what to think of it.
func waits(d report.Device) bool {
	return !d.Trusted && d.ID != discovery.Hub && factOf[bool](d, fact.DeviceAppeared.Name())
}

// factOf returns what is known of a device, or the zero value.
func factOf[T any](d report.Device, name string) (v T) {
	for _, e := range d.Facts {
		if e.Name == name {
			v, _ = e.Value.(T)
			break
		}
	}
	return v
}

// wordDoc is what a word of the vocabulary means, without the full stop.
func wordDoc(name string) string {
	if w := fact.Lookup(name); w != nil {
		return strings.TrimSuffix(w.Doc, ".")
	}
	return fact.Clean(name, maxInfo)
}

func day(t time.Time) string { return t.Local().Format("2 January 2006") }

func moment(t time.Time) string {
	if t.IsZero() {
		return "not yet"
	}
	return t.Local().Format("2 January 2006, 15:04")
}

// ago says how long ago something was, as page.js does too.
func ago(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days ago", int(d.Hours()/24))
	}
}

// count is a number and its noun: "1 device", "2 devices".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if _, err := policy.ParseSeverity(noun); err == nil { // an adjective
		return fmt.Sprintf("%d %s", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
