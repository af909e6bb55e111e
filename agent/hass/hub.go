package hass

import (
	"strings"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

// The event entities' kinds, which are the last parts of their topics.
const (
	deviceEvents  = "device"
	findingEvents = "finding"
)

// windows are the binary sensors for networks that let devices join, with the
// words on the hub that they show.
var windows = [...]struct{ key, name, icon, word string }{
	{"zigbee_join_open", "Zigbee open for joining", "mdi:zigbee", fact.HomeJoinOpen.Name()},
	{"zwave_inclusion_open", "Z-Wave open for inclusion", "mdi:z-wave", fact.HomeInclusionOpen.Name()},
	{"matter_window_open", "Matter pairing window open", "mdi:qrcode", fact.HomeMatterOpen.Name()},
}

// hubComponents are those of our own device. They are always the same: one that
// came and went would come back after the owner deleted it.
func (n names) hubComponents() map[string]component {
	topic := n.state(discovery.Hub)
	out := map[string]component{
		"worst":     {Platform: sensor, Name: "Worst severity", DeviceClass: "enum", Icon: "mdi:shield-alert", Options: worstOptions()},
		"score":     {Platform: sensor, Name: "Security score", StateClass: "measurement", Icon: "mdi:shield-half-full"},
		"last_scan": {Platform: sensor, Name: "Last scan", DeviceClass: "timestamp", EntityCategory: "diagnostic"},
		"health": {Platform: binarySensor, Name: "Something is not watched", DeviceClass: "problem", EntityCategory: "diagnostic",
			AttributesTopic: topic, AttributesTemplate: "{{ value_json.health_attr | tojson }}"},
		// Class safety without a category is what puts it on Home Assistant's
		// security dashboard.
		"critical_open": {Platform: binarySensor, Name: "Critical finding open", DeviceClass: "safety"},
	}
	for _, s := range severities {
		c := component{Platform: sensor, Name: upper(severity(s)) + " findings", StateClass: "measurement", Icon: "mdi:counter"}
		if s < policy.High { // Home Assistant sorts by name: what matters must not stand among these
			c.EntityCategory = "diagnostic"
		}
		if s == policy.Info { // the hub has no aggregate to show its own in
			c.AttributesTopic, c.AttributesTemplate = topic, "{{ value_json.info_attr | tojson }}"
		}
		out[severity(s)] = c
	}
	for _, w := range windows {
		out[w.key] = component{Platform: binarySensor, Name: w.name, DeviceClass: "opening", EntityCategory: "diagnostic", Icon: w.icon}
	}
	for key, c := range out {
		c.StateTopic, c.ValueTemplate = topic, "{{ value_json."+key+" }}"
		out[key] = n.entity(discovery.Hub, key, c)
	}
	out["event_device"] = n.entity(discovery.Hub, "event_device", component{
		Platform: eventEntity, Name: "New device", Icon: "mdi:new-box", StateTopic: n.event(deviceEvents), ValueTemplate: newEvent,
		EventTypes: report.DeviceEvents(),
	})
	out["event_finding"] = n.entity(discovery.Hub, "event_finding", component{
		Platform: eventEntity, Name: "Finding", Icon: "mdi:shield-bug", StateTopic: n.event(findingEvents), ValueTemplate: newEvent,
		EventTypes: []string{
			string(policy.FindingOpened), string(policy.FindingWorsened), string(policy.FindingResolved),
			string(policy.FindingAccepted), string(policy.FindingExpired),
		},
	})
	out["check"] = n.entity(discovery.Hub, "check", component{
		Platform: button, Name: "Scan again", Icon: "mdi:shield-search", CommandTopic: n.command(discovery.Hub, "check"),
	})
	return out
}

// worstOptions are the values of the sensors of the worst finding.
func worstOptions() []string { return []string{"none", "info", "low", "medium", "high", "critical"} }

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

type hubState struct {
	Worst    string   `json:"worst"`
	Score    *float64 `json:"score"`
	LastScan *string  `json:"last_scan"`
	Critical int      `json:"critical"`
	High     int      `json:"high"`
	Medium   int      `json:"medium"`
	Low      int      `json:"low"`
	Info     int      `json:"info"`
	// InfoDetails are the hub's own findings of that severity.
	InfoDetails informed `json:"info_attr"`

	CriticalOpen  string `json:"critical_open"`
	ZigbeeJoin    string `json:"zigbee_join_open"`
	ZWaveInclude  string `json:"zwave_inclusion_open"`
	MatterWindow  string `json:"matter_window_open"`
	Health        string `json:"health"`
	HealthDetails health `json:"health_attr"`
}

type informed struct {
	Info []informing `json:"info,omitempty"`
}

type health struct {
	Blind string `json:"blind,omitempty"`
	// Severity is critical while nothing of the home can be seen.
	Severity   string            `json:"severity"`
	Components map[string]string `json:"components"`
	Devices    int               `json:"devices"`
	// Accepted findings cost no points, hidden devices are shown nowhere.
	Accepted int    `json:"accepted"`
	Hidden   int    `json:"hidden"`
	Paused   string `json:"news_paused_until,omitempty"`
	Version  string `json:"version"`
	Site     string `json:"thingwarden_site"`
}

func (n names) hubMessage(s *report.Snapshot) message {
	var all []policy.Finding
	shown := 0
	for _, d := range s.Devices {
		all = append(all, d.Findings...)
		if !d.Provisional && !d.Hidden && !d.Muted && d.ID != discovery.Hub {
			shown++
		}
	}
	c := count(all)
	out := hubState{
		Worst: severity(c.worst), Score: s.Score(),
		Critical: c.by[0], High: c.by[1], Medium: c.by[2], Low: c.by[3], Info: c.by[4],
		CriticalOpen: onOff(c.by[0] > 0),
		ZigbeeJoin:   window(s, 0), ZWaveInclude: window(s, 1), MatterWindow: window(s, 2),
	}
	if t := stamp(s.LastScan); t != "" {
		out.LastScan = &t
	}
	if out.Score == nil && c.worst == 0 {
		// Nothing was checked, which is not the same as nothing was found.
		out.Worst, out.CriticalOpen = none, none
	}
	out.Health, out.HealthDetails = n.health(s)
	out.HealthDetails.Devices, out.HealthDetails.Accepted, out.HealthDetails.Hidden = shown, s.Accepted(), s.Hidden()
	out.HealthDetails.Paused = stamp(s.PausedUntil)
	var own []policy.Finding
	if hub := s.Device(discovery.Hub); hub != nil {
		own = hub.Findings
	}
	out.InfoDetails.Info = informings(own, 1)
	b := encode(out)
	for scale := 2; len(b) > maxAttributes; scale *= 2 {
		out.InfoDetails.Info = informings(own, scale)
		for name, text := range out.HealthDetails.Components {
			out.HealthDetails.Components[name] = cut(text, 128/scale)
		}
		b = encode(out)
	}
	return newMessage(n.state(discovery.Hub), b)
}

// health is ON when a part does not work or cannot see everything.
func (n names) health(s *report.Snapshot) (string, health) {
	h := health{Blind: paragraph(s.Blind, 500), Severity: "none", Version: s.Version, Site: n.site, Components: map[string]string{}}
	bad := s.Blind != ""
	for _, c := range first(s.Health, 100) {
		text := string(c.Status)
		if c.Status != discovery.OK {
			bad = true
			text = strings.TrimSuffix(text+": "+plain(c.Error, 300), ": ")
		}
		h.Components[cut(fact.Clean(c.Name, 40), 40)] = text
	}
	switch {
	case s.Blind != "":
		h.Severity = "critical"
	case bad:
		h.Severity = "medium"
	}
	return onOff(bad), h
}

func window(s *report.Snapshot, i int) string {
	hub := s.Device(discovery.Hub)
	if hub == nil {
		return none
	}
	for _, e := range hub.Facts {
		if open, ok := e.Value.(bool); ok && e.Name == windows[i].word {
			return onOff(open)
		}
	}
	return none
}

// hubInfo is our own device.
func (n names) hubInfo(s *report.Snapshot, o Options) device {
	out := device{
		Identifiers: []string{n.identifier(discovery.Hub)}, Name: n.hubName(),
		Manufacturer: "Thingwarden", Model: "Hub", SWVersion: name(s.Version, maxInfo), ConfigurationURL: o.Page,
	}
	if hub := s.Device(discovery.Hub); hub != nil {
		out.Connections = connections(hub.Device)
	}
	return out
}

func (n names) hubName() string {
	if n.site != "home" {
		return "Thingwarden " + n.site
	}
	return "Thingwarden"
}

// counts are findings that are problems, by severity, worst first.
type counts struct {
	by       [len(severities)]int
	worst    policy.Severity
	accepted int
}

func count(fs []policy.Finding) (c counts) {
	for _, f := range fs {
		if f.Status == policy.Accepted {
			c.accepted++
		}
		if !f.Problem() {
			continue
		}
		c.worst = max(c.worst, f.Severity)
		for i, s := range severities {
			if f.Severity == s {
				c.by[i]++
			}
		}
	}
	return c
}
