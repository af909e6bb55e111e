// Package probe holds the probes: each asks one device one sort of question,
// reads only, and reports what the answer shows as facts.
//
// It is not this package's job to decide when to ask, to keep to the pace and
// the owner's limits (package prober does), nor to say what
// is good or bad (package policy does).
package probe

import (
	"fmt"
	"strings"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// All are all probes, sorted by name.
var All = []*prober.Probe{
	ESPHome,
	HomeKit,
	HTTP,
	IGD,
	MQTT,
	NATPMP,
	RTSP,
	Shelly,
	Tasmota,
	Telnet,
	UPnP,
}

// reachable reports whether there is an address at which to ask the device.
func reachable(d discovery.Device, ev *fact.Evidence) bool {
	can, known := fact.DeviceReachable.Get(ev)
	return len(d.Addrs()) > 0 && (can || !known)
}

// ports writes ports as they stand in a proof.
func ports(list []uint16) string {
	var out []string
	for _, p := range list {
		out = append(out, fmt.Sprintf("tcp/%d", p))
	}
	return strings.Join(out, ", ")
}
