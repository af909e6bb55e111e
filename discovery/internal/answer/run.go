package answer

import (
	"context"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Run makes a prober.Probe's Run of what sets the words by the device's answers. They
// are reported once, or not at all if the probe was ended meanwhile: a request that was
// broken off says nothing of the device.
func Run(set func(context.Context, *prober.Target, *fact.Evidence)) func(context.Context, *prober.Target, func(discovery.Observation)) error {
	return func(ctx context.Context, t *prober.Target, report func(discovery.Observation)) error {
		o := discovery.Observation{About: t.About(), Facts: t.Evidence()}
		set(ctx, t, o.Facts)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		report(o)
		return nil
	}
}
