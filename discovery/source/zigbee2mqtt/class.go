package zigbee2mqtt

import (
	"slices"
	"strings"
)

// classOf returns what sort of thing a device is, and what shows it. What the
// converter exposes says it best; a device without one has its clusters only.
func classOf(e deviceEntry) (class, proof string) {
	if e.Type == "Coordinator" {
		return "bridge", "type=Coordinator"
	}
	d := e.Definition.Value
	text := strings.ToLower(string(d.Description) + " " + string(d.Model) + " " + string(e.ModelID))
	for _, x := range d.Exposes {
		if c := classOfType(string(x.Type), text); c != "" {
			return c, "exposes " + string(x.Type)
		}
	}
	for _, want := range exposedNames {
		for _, x := range d.Exposes {
			if slices.Contains(want.names, string(x.Name)) {
				return want.class, "exposes " + string(x.Name)
			}
		}
	}
	return classOfClusters(e)
}

func classOfType(exposed, text string) string {
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
	}
	switch exposed {
	case "lock":
		return "lock"
	case "light":
		return "light"
	case "climate":
		return "thermostat"
	case "fan":
		return "appliance"
	case "cover":
		if has("garage") {
			return "garage"
		}
		return "cover"
	case "switch":
		switch {
		case has("garage"):
			return "garage"
		case has("siren"):
			return "siren"
		case has("valve", "irrigation"):
			return "valve"
		case has("plug", "outlet", "socket"):
			return "plug"
		}
		return "switch"
	}
	return ""
}

// exposedNames show the class of a device without a composite type, the most
// specific names first.
var exposedNames = []struct {
	class string
	names []string
}{
	{"keypad", []string{"action_code"}},
	{"sensor", []string{"smoke", "gas", "carbon_monoxide", "water_leak"}},
	{"siren", []string{"warning", "alarm", "squawk"}},
	{"garage", []string{"garage_door", "garage_door_contact"}},
	{"valve", []string{"valve", "valve_state"}},
	{"sensor", []string{
		"contact", "occupancy", "presence", "vibration", "tamper",
		"temperature", "humidity", "pressure", "illuminance", "soil_moisture", "co2", "pm25", "voc", "power", "energy",
	}},
	{"remote", []string{"action"}},
}

// classOfClusters uses the names that zigbee-herdsman gives to the clusters of
// the Zigbee Cluster Library.
func classOfClusters(e deviceEntry) (class, proof string) {
	var in, out []string
	for _, p := range e.Endpoints.Value {
		for _, c := range p.Clusters.Value.Input {
			in = append(in, string(c))
		}
		for _, c := range p.Clusters.Value.Output {
			out = append(out, string(c))
		}
	}
	for _, want := range []struct{ class, cluster string }{
		{"lock", "closuresDoorLock"},
		{"siren", "ssIasWd"},
		{"cover", "closuresWindowCovering"},
		{"thermostat", "hvacThermostat"},
		{"light", "lightingColorCtrl"},
		{"sensor", "ssIasZone"},
		{"sensor", "msOccupancySensing"},
		{"sensor", "msTemperatureMeasurement"},
		{"sensor", "msRelativeHumidity"},
		{"sensor", "msIlluminanceMeasurement"},
		{"switch", "genOnOff"},
	} {
		if slices.Contains(in, want.cluster) {
			return want.class, "clusters.input " + want.cluster
		}
	}
	for _, want := range []struct{ class, cluster string }{{"keypad", "ssIasAce"}, {"remote", "genOnOff"}} {
		if slices.Contains(out, want.cluster) {
			return want.class, "clusters.output " + want.cluster
		}
	}
	return "", ""
}
