package homeassistant

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/thingwarden/thingwarden/discovery"
)

// ours is how the identifiers begin that hass gives to our own devices.
const ours = "thingwarden_"

// device is what is kept of an entry of the device registry.
type device struct {
	id, name, area, via string
	named               bool // by the user
	// own means that it is, or has become, our own device: MQTT devices with the
	// same MAC address are one. What it says of itself may be our own words.
	own                                    bool
	platform                               string // of its firmware, if its integration speaks one only
	manufacturer, model, firmware, version string
	ids                                    []discovery.Identifier
	addr                                   netip.Addr // at which it is configured; invalid if unknown
}

// device returns what is kept, and whether the entry stands for a thing of the
// home that can be known again.
func (r deviceRow) device() (device, bool) {
	if r.ID == "" || r.Disabled != "" || r.Kind == "service" {
		return device{}, false
	}
	d := device{
		id: string(r.ID), name: string(r.Name), area: string(r.Area), via: string(r.Via),
		manufacturer: string(r.Manufacturer), model: string(r.Model), firmware: string(r.Firmware), version: string(r.Hardware),
	}
	if r.NameByUser != "" {
		d.name, d.named = string(r.NameByUser), true
	}
	add := func(i discovery.Identifier, ok bool) {
		if ok && len(d.ids) < maxIDs {
			d.ids = append(d.ids, i)
		}
	}
	for _, pair := range r.Identifiers {
		if len(pair) < 2 {
			continue
		}
		domain, value := string(pair[0]), string(pair[1])
		if domain == "mqtt" && strings.HasPrefix(value, ours) {
			d.own = true
		}
		if domain == "shelly" {
			d.platform = domain
		}
		add(identifier(domain, value))
	}
	for _, pair := range r.Connections {
		if len(pair) < 2 {
			continue
		}
		switch pair[0] {
		case "mac":
			add(discovery.MAC(string(pair[1])))
		case "zigbee":
			add(discovery.Zigbee(strings.ReplaceAll(string(pair[1]), ":", "")))
		}
	}
	if d.own {
		d = device{id: d.id, own: true, name: string(r.NameByUser), named: d.named, area: d.area, ids: d.ids}
		return d, len(d.ids) > 0
	}
	d.addr = addressOf(string(r.URL))
	return d, len(d.ids) > 0
}

// addressOf returns the address in a device's configuration_url, if it is one.
func addressOf(raw string) netip.Addr {
	u, err := url.Parse(raw)
	if err != nil || len(raw) > 200 || u.Scheme != "http" && u.Scheme != "https" {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(u.Hostname())
	if err != nil || !usable(a) {
		return netip.Addr{}
	}
	return a.Unmap()
}

// identifier reads the identifiers of integrations that identify a device:
// Zigbee2MQTT's over MQTT, ZHA's, Z-Wave JS's "<home id in decimal>-<node>"
// (components/zwave_js/helpers.py) and Matter's (components/matter/helpers.py,
// get_device_id; bridged devices have others).
func identifier(domain, value string) (discovery.Identifier, bool) {
	switch domain {
	case "mqtt":
		if hex, ok := strings.CutPrefix(value, "zigbee2mqtt_0x"); ok {
			return discovery.Zigbee(hex)
		}
	case "zha":
		return discovery.Zigbee(strings.ReplaceAll(value, ":", ""))
	case "zwave_js":
		parts := strings.Split(value, "-")
		if len(parts) < 2 {
			break
		}
		home, err := strconv.ParseUint(parts[0], 10, 32)
		node, err2 := strconv.ParseUint(parts[1], 10, 12)
		if err == nil && err2 == nil && home > 0 && node > 0 {
			return discovery.Identifier{Kind: discovery.ZWaveID, Value: fmt.Sprintf("%08x_%d", home, node)}, true
		}
	case "matter":
		rest, _ := strings.CutPrefix(value, "deviceid_")
		parts := strings.Split(rest, "-")
		if len(parts) == 3 && parts[2] == "MatterNodeDevice" {
			return discovery.ParseID("matter_" + strings.ToLower(parts[0]+"_"+parts[1]))
		}
	}
	return discovery.Identifier{}, false
}

// classes say what a device is that has an entity of a sort, the first that fits.
var classes = []struct{ domain, class string }{
	{"alarm_control_panel", "alarm"}, {"lock", "lock"}, {"camera", "camera"}, {"valve", "valve"}, {"siren", "siren"},
	{"vacuum", "vacuum"}, {"lawn_mower", "appliance"}, {"water_heater", "appliance"}, {"climate", "thermostat"},
	{"media_player", "media"}, {"cover", "cover"}, {"light", "light"},
}

// classOf returns the class for a set of domains, and the domain that says so;
// empty if none does.
func classOf(domains map[string]bool) (class, domain string) {
	for _, c := range classes {
		if domains[c.domain] {
			return c.class, c.domain
		}
	}
	return "", ""
}
