// Package enphase asks gateways of Enphase what only they answer. What else is known of
// them stands on card.yaml beside it.
package enphase

import (
	"context"
	"regexp"
	"time"

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
	Run:     answer.Run(run),
}

var words = []string{
	fact.DeviceClass.Name(), fact.DeviceFirmware.Name(), fact.DeviceManufacturer.Name(), fact.DeviceModel.Name(), fact.DeviceProduct.Name(),
}

var signs = &prober.Signs{Products: []string{"enphase-envoy"}, Service: "_enphase-envoy._tcp", Page: regexp.MustCompile(`^Envoy`)}

func run(ctx context.Context, t *prober.Target, e *fact.Evidence) {
	at := "tcp/80 GET /info: "
	r, err := t.Get(ctx, 80, "/info")
	if ctx.Err() == nil && (err != nil || r.Status >= 300 && r.Status < 400) { // newer ones only speak encrypted
		at = "tls/443 GET /info: "
		r, err = t.GetTLS(ctx, 443, "/info")
	}
	if why := setFacts(e, at, r, err); why != "" {
		answer.Unknown(e, why, words)
	}
}

// setFacts reads the answer, or says why it can't be. The serial number stands beside what
// is used of it.
func setFacts(e *fact.Evidence, at string, r *prober.Response, err error) fact.Why {
	root, why := answer.XML(r, err, func(root *upnp.Element) bool {
		return root.Name == "envoy_info" && root.Child("device").Value("software") != ""
	})
	if why != "" {
		return why
	}
	part, software := root.Child("device").Value("pn"), root.Child("device").Value("software")
	fact.DeviceProduct.Set(e, "enphase-envoy", at+"envoy_info")
	fact.DeviceManufacturer.Set(e, "Enphase", at+"envoy_info")
	fact.DeviceClass.Set(e, "inverter", at+"envoy_info")
	answer.SetText(e, fact.DeviceModel, part, at+"pn="+part)
	answer.SetText(e, fact.DeviceFirmware, software, at+"software="+software)
	return ""
}
