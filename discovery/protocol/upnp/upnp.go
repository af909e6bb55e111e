// Package upnp reads how devices describe themselves (UPnP Device Architecture 1.1).
package upnp

import (
	"context"
	"fmt"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/upnp"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe reads how a device describes itself.
var Probe = &prober.Probe{
	Name:  "upnp",
	Doc:   "Reads the description that a device announces by SSDP (UPnP): its name, maker, model and kind; asks at the device's own address only, and controls nothing.",
	Touch: prober.Read,
	Gives: []string{
		fact.DeviceClass.Name(), fact.DeviceManufacturer.Name(), fact.DeviceModel.Name(), fact.UPnPDeviceType.Name(),
		fact.UPnPFriendlyName.Name(), fact.UPnPManufacturer.Name(), fact.UPnPModel.Name(), fact.UPnPModelNumber.Name(),
	},
	Every:   24 * time.Hour,
	Needs:   []string{fact.UPnPLocations.Name()},
	Located: true,
	Applies: describesItself,
	Run:     run,
}

// maxDescriptions is how many descriptions of a device are read; a box that plays
// several parts has one for each.
const maxDescriptions = 3

func describesItself(d discovery.Device, ev *fact.Evidence) bool {
	list, _ := fact.UPnPLocations.Get(ev)
	return len(list) > 0 && prober.Reachable(d, ev)
}

func run(ctx context.Context, t *prober.Target, report func(discovery.Observation)) error {
	locations, _ := fact.UPnPLocations.Get(t.Known())
	o := discovery.Observation{About: t.About(), Facts: t.Evidence()}
	why := fact.NotReported
	for _, location := range locations[:min(len(locations), maxDescriptions)] {
		d, err := upnp.Fetch(ctx, t, location)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			why = prober.WhyOf(err)
			continue
		}
		if o.Name == "" || d.Root.Class() == "router" {
			o.Name = fact.Clean(d.Root.Name, discovery.MaxName)
		}
		d.Root.Set(o.Facts, fmt.Sprintf("tcp/%d: %s", d.Port, d.Path))
	}
	fact.DeviceClass.Unknown(o.Facts, why)
	fact.DeviceManufacturer.Unknown(o.Facts, why)
	fact.DeviceModel.Unknown(o.Facts, why)
	for _, w := range upnp.Described {
		w.Word.Unknown(o.Facts, why)
	}
	report(o)
	return nil
}
