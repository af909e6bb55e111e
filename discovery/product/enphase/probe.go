// Package enphase asks gateways of Enphase what only they answer. What else is known of
// them stands on card.yaml beside it.
package enphase

import (
	"context"
	"regexp"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/internal/upnp"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe reads which software a gateway runs, which it tells without a log-in
// (pyenphase/pyenphase src/pyenphase/firmware.py, "/info").
var Probe = &prober.Probe{
	Name:    "enphase",
	Doc:     `Asks a device that shows itself as a gateway of Enphase for "/info", which names its software; logs in nowhere.`,
	Touch:   prober.Read,
	Gives:   words,
	Every:   12 * time.Hour,
	Signs:   signs,
	Applies: signs.On,
	Run:     run,
}

var words = []string{
	fact.DeviceClass.Name(), fact.DeviceFirmware.Name(), fact.DeviceManufacturer.Name(), fact.DeviceModel.Name(), fact.DeviceProduct.Name(),
}

var signs = &prober.Signs{Products: []string{"enphase-envoy"}, Service: "_enphase-envoy._tcp", Page: regexp.MustCompile(`^Envoy`)}

func run(ctx context.Context, t *prober.Target, report func(discovery.Observation)) error {
	o := discovery.Observation{About: t.About(), Facts: t.Evidence()}
	at := "tcp/80 GET /info: "
	r, err := t.Get(ctx, 80, "/info")
	if ctx.Err() == nil && (err != nil || r.Status >= 300 && r.Status < 400) { // newer ones only speak encrypted
		at = "tls/443 GET /info: "
		r, err = t.GetTLS(ctx, 443, "/info")
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if why := tell(o.Facts, at, r, err); why != "" {
		answer.Unknown(o.Facts, why, words)
	}
	report(o)
	return nil
}

// tell reads the answer, or says why it can't be. The serial number stands beside what
// is used of it.
func tell(e *fact.Evidence, at string, r *prober.Response, err error) fact.Why {
	switch {
	case err != nil:
		return prober.WhyOf(err)
	case r.Status != 200:
		return answer.WhyStatus(r.Status)
	}
	root, err := upnp.ParseXML(r.Body)
	if err != nil || root.Name != "envoy_info" {
		return fact.Unreadable
	}
	part, software := root.Child("device").Value("pn"), root.Child("device").Value("software")
	if software == "" {
		return fact.Unreadable
	}
	fact.DeviceProduct.Set(e, "enphase-envoy", at+"envoy_info")
	fact.DeviceManufacturer.Set(e, "Enphase", at+"envoy_info")
	fact.DeviceClass.Set(e, "inverter", at+"envoy_info")
	answer.SetText(e, fact.DeviceModel, part, at+"pn="+part)
	answer.SetText(e, fact.DeviceFirmware, software, at+"software="+software)
	return ""
}
