package hass

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

// maxConnections bounds the addresses by which Home Assistant links a device to
// that of other integrations.
const maxConnections = 16

// deviceComponents are those of every device but the hub's.
func (n names) deviceComponents(d report.Device) map[string]component {
	topic := n.state(d.ID)
	return map[string]component{
		"problem": n.entity(d.ID, "problem", component{
			Platform: binarySensor, Name: "Security problem", DeviceClass: "problem",
			StateTopic: topic, ValueTemplate: "{{ value_json.state }}",
			AttributesTopic: topic, AttributesTemplate: "{{ value_json.attr | tojson }}",
		}),
		"score": n.entity(d.ID, "score", component{
			Platform: sensor, Name: "Security score", StateClass: "measurement", Icon: "mdi:shield-half-full",
			StateTopic: topic, ValueTemplate: "{{ value_json.score }}",
		}),
		"worst": n.entity(d.ID, "worst", component{
			Platform: sensor, Name: "Worst finding", DeviceClass: "enum", Icon: "mdi:shield-alert", Options: worstOptions(),
			StateTopic: topic, ValueTemplate: "{{ value_json.worst }}",
		}),
		"trusted": n.entity(d.ID, "trusted", component{
			Platform: toggle, Name: "Trusted", EntityCategory: "config", Icon: "mdi:account-check",
			StateTopic: topic, ValueTemplate: "{{ value_json.trusted }}", CommandTopic: n.command(d.ID, "trusted"),
		}),
		"check": n.entity(d.ID, "check", component{
			Platform: button, Name: "Check now", EntityCategory: "config", Icon: "mdi:shield-search",
			CommandTopic: n.command(d.ID, "check"),
		}),
	}
}

type deviceState struct {
	State   string     `json:"state"`
	Score   *int       `json:"score"`
	Worst   string     `json:"worst"`
	Trusted string     `json:"trusted"`
	Attr    deviceAttr `json:"attr"`
}

// deviceAttr holds nothing that changes by the minute: Home Assistant records
// every change.
type deviceAttr struct {
	Severity        string       `json:"severity"`
	Critical        int          `json:"critical"`
	High            int          `json:"high"`
	Medium          int          `json:"medium"`
	Low             int          `json:"low"`
	Info            []informing  `json:"info,omitempty"`
	Accepted        int          `json:"accepted"`
	Checked         int          `json:"checked"`
	NotChecked      int          `json:"not_checked"`
	Why             []notChecked `json:"not_checked_why,omitempty"`
	Reachable       bool         `json:"reachable"`
	Kind            string       `json:"kind,omitempty"`
	Class           string       `json:"class,omitempty"`
	Addresses       []string     `json:"addresses,omitempty"`
	Services        []string     `json:"services,omitempty"`
	SeenBy          []string     `json:"seen_by,omitempty"`
	FirstSeen       string       `json:"first_seen,omitempty"`
	ZigbeeAddress   string       `json:"zigbee_address,omitempty"`
	ZWaveHome       string       `json:"zwave_home_id,omitempty"`
	ZWaveNode       int          `json:"zwave_node_id,omitempty"`
	ThingwardenID   string       `json:"thingwarden_id"`
	ThingwardenSite string       `json:"thingwarden_site"`
}

// informing is a finding of severity info, which has no entity.
type informing struct {
	Policy   string `json:"policy"`
	Title    string `json:"title"`
	Summary  string `json:"summary"`
	Evidence string `json:"evidence"`
}

// informings are the findings that only inform, with long texts cut to a part of
// their usual size.
func informings(fs []policy.Finding, scale int) (out []informing) {
	for _, f := range fs {
		if f.Policy != nil && f.Problem() && !f.Actionable() && len(out) < 20/scale {
			out = append(out, informing{
				Policy: cut(fact.Clean(f.Policy.ID, maxInfo), maxInfo), Title: title(f.Policy),
				Summary: paragraph(f.Summary(), 1000/scale), Evidence: plain(report.Evidence(f), 500/scale),
			})
		}
	}
	return out
}

type notChecked struct {
	Policy string   `json:"policy"`
	Title  string   `json:"title"`
	Why    []string `json:"why"`
}

func (n names) deviceMessage(d report.Device) message {
	s := deviceState{State: aggregate(d), Score: d.Score(), Worst: worst(d), Trusted: onOff(d.Trusted)}
	var b []byte
	for scale := 1; scale == 1 || len(b) > maxAttributes; scale *= 2 {
		s.Attr = n.deviceAttributes(d, scale)
		b = encode(s)
	}
	return newMessage(n.state(d.ID), b)
}

// worst is the severity of the worst finding that is a problem; unknown while
// nothing has been checked.
func worst(d report.Device) string {
	if d.Score() == nil {
		return none
	}
	return severity(count(d.Findings).worst)
}

// aggregate is ON while a finding asks for something to be done, and unknown while
// nothing has been checked: what nobody looked at is not well.
func aggregate(d report.Device) string {
	if slices.ContainsFunc(d.Findings, policy.Finding.Actionable) {
		return on
	}
	if d.Checked == 0 {
		return none
	}
	return off
}

func (n names) deviceAttributes(d report.Device, scale int) deviceAttr {
	c := count(d.Findings)
	a := deviceAttr{
		Severity: severity(c.worst), Critical: c.by[0], High: c.by[1], Medium: c.by[2], Low: c.by[3], Info: informings(d.Findings, scale),
		Accepted: c.accepted, Checked: d.Checked, NotChecked: len(d.NotChecked),
		Reachable: d.Online, Kind: fact.Clean(d.Kind, maxInfo), Class: fact.Clean(d.Class, maxInfo),
		FirstSeen: stamp(d.FirstSeen), ThingwardenID: string(d.ID), ThingwardenSite: n.site,
	}
	for _, x := range first(d.NotChecked, 60/scale) {
		a.Why = append(a.Why, notChecked{cut(fact.Clean(x.Policy.ID, maxInfo), maxInfo), title(x.Policy), missing(x.Missing, 5)})
	}
	for _, x := range first(d.Addrs(), 20/scale) {
		a.Addresses = append(a.Addresses, x.WithZone("").String())
	}
	for _, x := range first(d.Services, 40/scale) {
		a.Services = append(a.Services, plain(x.Proto+"/"+strconv.Itoa(x.Port)+" "+x.Name, maxInfo))
	}
	for _, x := range first(d.Sources, 20/scale) {
		a.SeenBy = append(a.SeenBy, fact.Clean(x, maxInfo))
	}
	for _, i := range d.IDs {
		switch i.Kind {
		case discovery.ZigbeeID:
			a.ZigbeeAddress = "0x" + i.Value
		case discovery.ZWaveID:
			home, node, _ := strings.Cut(i.Value, "_")
			a.ZWaveHome = "0x" + home
			a.ZWaveNode, _ = strconv.Atoi(node)
		}
	}
	return a
}

// deviceInfo says what the device is.
func (n names) deviceInfo(d report.Device, hubShown bool, o Options) device {
	out := device{
		Identifiers: []string{n.identifier(d.ID)}, Connections: connections(d.Device), Name: name(d.Title, maxName),
		Manufacturer: name(d.Manufacturer, maxInfo), Model: name(d.Model, maxInfo),
		SWVersion: name(d.Firmware, maxInfo), HWVersion: name(d.Hardware, maxInfo),
	}
	if hubShown { // a parent that is not there becomes a stub in Home Assistant
		out.ViaDevice = n.identifier(discovery.Hub)
	}
	if strings.HasPrefix(o.Page, "http") {
		out.ConfigurationURL = strings.TrimSuffix(o.Page, "/") + "/device/" + string(d.ID)
	}
	return out
}

// connections are the addresses by which other integrations may know the device.
// A randomised MAC is one only where it is what we know the device by: others
// come and go, and would change the configuration each time.
func connections(d discovery.Device) [][2]string {
	var out [][2]string
	for _, i := range d.IDs {
		switch {
		case i.Kind == discovery.ZigbeeID:
			out = append(out, [2]string{"zigbee", colons(i.Value)})
		case i.Kind == discovery.MACID && (!randomised(i.Value) || d.ID == discovery.ID("mac_"+i.Value)):
			out = append(out, [2]string{"mac", colons(i.Value)})
		}
	}
	slices.SortFunc(out, func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	return first(slices.Compact(out), maxConnections)
}

// randomised reports whether a MAC is locally administered (IEEE 802c-2017).
func randomised(hex string) bool {
	return len(hex) > 1 && strings.ContainsRune("2367abef", rune(hex[1]))
}

func colons(hex string) string {
	var parts []string
	for pair := range slices.Chunk([]byte(hex), 2) {
		parts = append(parts, string(pair))
	}
	return strings.Join(parts, ":")
}
