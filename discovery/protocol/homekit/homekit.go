// Package homekit asks HomeKit accessories whether they wait for pairing.
package homekit

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/dnssd"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe asks an accessory whether it waits for pairing.
var Probe = &prober.Probe{
	Name: "homekit",
	Doc: "Asks a HomeKit accessory itself, by multicast DNS sent to its own address only, whether it has been paired: " +
		"what anybody may announce about it becomes what it says.",
	Touch:   prober.Read,
	Gives:   words,
	Every:   6 * time.Hour,
	Follows: []string{fact.HomeKitAnnounced.Name()},
	Located: true,
	Applies: announcesHomeKit,
	Run:     run,
}

var words = []string{fact.DeviceClass.Name(), fact.DeviceModel.Name(), fact.HomeKitPaired.Name()}

// announcesHomeKit reports whether somebody has heard HomeKit services of the device.
func announcesHomeKit(d discovery.Device, ev *fact.Evidence) bool {
	return len(homeKitTypes(ev)) > 0 && prober.Reachable(d, ev)
}

func homeKitTypes(ev *fact.Evidence) []string {
	types, _ := fact.MDNSServices.Get(ev)
	return slices.DeleteFunc(slices.Clone(types), func(typ string) bool { return typ != "_hap._tcp" && typ != "_hap._udp" })
}

func run(ctx context.Context, t *prober.Target, report func(discovery.Observation)) error {
	var all []dnssd.Instance
	why := fact.NotReported
	for _, typ := range homeKitTypes(t.Known()) {
		found, err := dnssd.Query(ctx, t, typ)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			why = prober.WhyOf(err)
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b dnssd.Instance) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Port, b.Port))
	})
	o := discovery.Observation{About: t.About(), Facts: t.Evidence(), Name: fact.Clean(dnssd.BestName(all), discovery.MaxName)}
	dnssd.Describe(o.Facts, all)
	if n, _ := o.Facts.Entry(fact.HomeKitAnnounced.Name()); n.Known() {
		o.Facts.Remove(n.Name)
		fact.HomeKitPaired.Set(o.Facts, n.Value.(bool), n.Proof)
	}
	for _, word := range words {
		o.Facts.MarkUnknown(word, why)
	}
	report(o)
	return nil
}
