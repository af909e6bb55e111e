package inventory

import (
	"slices"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// gadgets are the classes of simple things, of which there is one for Zigbee or
// Z-Wave too: what needs a screen, a picture or much data is not among them.
var gadgets = []string{"cover", "light", "plug", "remote", "sensor", "siren", "switch", "thermostat", "valve"}

// countDevices sets how many devices the home has. A device that is away counts:
// it is the owner's all the same.
func countDevices(home *fact.Evidence, evidence map[discovery.ID]*fact.Evidence) {
	var all, untrusted, radio, ip, simple int64
	for id, e := range evidence {
		if id == discovery.Hub {
			continue
		}
		all++
		appeared, _ := fact.DeviceAppeared.Get(e)
		if trusted, known := fact.DeviceTrusted.Get(e); appeared && known && !trusted {
			untrusted++
		}
		class, _ := fact.DeviceClass.Get(e)
		switch kind, _ := fact.DeviceKind.Get(e); kind {
		case "zigbee", "zwave":
			radio++
		case "lan":
			ip++
			if slices.Contains(gadgets, class) {
				simple++
			}
		}
	}
	fact.HomeDevices.Set(home, all, "")
	fact.HomeUntrusted.Set(home, untrusted, "")
	fact.HomeRadioDevices.Set(home, radio, "")
	fact.HomeIPDevices.Set(home, ip, "")
	fact.HomeIPThings.Set(home, simple, "")
}
