// Package matter asks Matter devices whether they accept a new controller.
package matter

import (
	"context"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/dnssd"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe asks a device whether its commissioning window is open.
var Probe = &prober.Probe{
	Name: "matter",
	Doc: "Asks a Matter device itself, by multicast DNS sent to its own address only, whether it accepts a new controller: " +
		"what anybody may announce about it becomes what it says.",
	Touch:   prober.Read,
	Gives:   []string{fact.MatterWindowOpen.Name()},
	Every:   6 * time.Hour,
	Follows: []string{fact.MatterAnnounced.Name()},
	Located: true,
	Applies: announcesMatter,
	Run:     run,
}

// commissionable is the service of a device that accepts a controller (Matter core
// specification section 4.3.1).
const commissionable = "_matterc._udp"

func announcesMatter(d discovery.Device, ev *fact.Evidence) bool {
	types, _ := fact.MDNSServices.Get(ev)
	_, announces := fact.MatterAnnounced.Get(ev)
	return (announces || slices.Contains(types, commissionable) || slices.Contains(types, "_matter._tcp")) && prober.Reachable(d, ev)
}

func run(ctx context.Context, t *prober.Target, report func(discovery.Observation)) error {
	o := discovery.Observation{About: t.About(), Facts: t.Evidence()}
	announced, known := fact.MatterAnnounced.Get(t.Known())
	found, err := dnssd.Query(ctx, t, commissionable)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch proof := window(found); {
	case proof != "":
		fact.MatterWindowOpen.Set(o.Facts, true, proof)
	case err == nil:
		fact.MatterWindowOpen.Set(o.Facts, false, "no "+commissionable+" with CM=1 or 2")
	case known && !announced && prober.WhyOf(err) == fact.NoAnswer:
		// Who has no such service says nothing to the question for it (RFC 6762
		// section 6).
		fact.MatterWindowOpen.Set(o.Facts, false, "no "+commissionable+" announced, none told when asked")
	default:
		fact.MatterWindowOpen.Unknown(o.Facts, prober.WhyOf(err))
	}
	report(o)
	return nil
}

// window returns what shows that the device accepts a controller: CM is 1 or 2
// while it does.
func window(found []dnssd.Instance) string {
	for _, i := range found {
		if cm := i.TXT["cm"]; cm == "1" || cm == "2" {
			return commissionable + " CM=" + cm
		}
	}
	return ""
}
