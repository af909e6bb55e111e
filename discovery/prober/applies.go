package prober

import (
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Reachable reports whether there is an address at which to ask the device.
func Reachable(d discovery.Device, ev *fact.Evidence) bool {
	can, known := fact.DeviceReachable.Get(ev)
	return len(d.Addrs()) > 0 && (can || !known)
}

// AnnouncedPort returns the TCP port under which a device announces a service,
// or the usual one.
func AnnouncedPort(d discovery.Device, service string, usual uint16) uint16 {
	for _, s := range d.Services {
		if s.Name == service && s.Proto == "tcp" && s.Port > 0 && s.Port < 1<<16 {
			return uint16(s.Port)
		}
	}
	return usual
}
