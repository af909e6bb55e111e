// Package twinkly asks light chains of Twinkly what only they answer. What else is known
// of them stands on card.yaml beside it.
package twinkly

import (
	"context"
	"regexp"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/internal/loosejson"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe asks for what a light chain tells of itself to anyone. Its log-in, which is
// not tried, is by a challenge of the caller's own choice and no secret, so that
// anyone can control it (xled-docs, "Protocol details" and "REST API", gestalt and
// fw/version).
var Probe = &prober.Probe{
	Name:    "twinkly",
	Doc:     "Asks a device that shows itself as lights of Twinkly for what they tell of themselves to anyone; logs in nowhere and switches nothing.",
	Touch:   prober.Read,
	Gives:   words,
	Every:   12 * time.Hour,
	Signs:   signs,
	Applies: signs.On,
	Run:     answer.Run(run),
}

var words = []string{
	fact.ControlOpen.Name(), fact.ControlPasswordPossible.Name(), fact.DeviceClass.Name(), fact.DeviceFirmware.Name(),
	fact.DeviceManufacturer.Name(), fact.DeviceModel.Name(), fact.DeviceProduct.Name(),
}

var signs = &prober.Signs{Products: []string{"twinkly"}, Host: regexp.MustCompile(`(?i)^twinkly[_-]`)}

func run(ctx context.Context, t *prober.Target, e *fact.Evidence) {
	r, err := t.Get(ctx, 80, "/xled/v1/gestalt")
	g, why := answer.JSON(r, err, gestalt.valid)
	if why != "" {
		answer.Unknown(e, why, words)
		return
	}
	g.setFacts(e)
	r, err = t.Get(ctx, 80, "/xled/v1/fw/version")
	setFirmware(e, r, err)
}

// gestalt is what the device is. Names and addresses stand beside what is decoded.
type gestalt struct {
	Product loosejson.Text   `json:"product_name"`
	Code    loosejson.Text   `json:"product_code"`
	LEDs    loosejson.Number `json:"number_of_led"`
}

func (g gestalt) valid() bool { return g.Product == "Twinkly" && g.LEDs.Known }

func (g gestalt) setFacts(e *fact.Evidence) {
	const at = "tcp/80 GET /xled/v1/gestalt: product_name=Twinkly"
	fact.ControlOpen.SetLikely(e, true, at)
	fact.ControlPasswordPossible.SetLikely(e, false, at)
	fact.DeviceProduct.Set(e, "twinkly", at)
	fact.DeviceManufacturer.Set(e, "Twinkly", at)
	fact.DeviceClass.Set(e, "light", at)
	answer.SetText(e, fact.DeviceModel, string(g.Code), "tcp/80 GET /xled/v1/gestalt: product_code="+string(g.Code))
}

func setFirmware(e *fact.Evidence, r *prober.Response, err error) {
	type version struct {
		Version loosejson.Text `json:"version"`
	}
	v, why := answer.JSON(r, err, func(v version) bool { return v.Version != "" })
	if why != "" {
		fact.DeviceFirmware.Unknown(e, why)
		return
	}
	answer.SetText(e, fact.DeviceFirmware, string(v.Version), "tcp/80 GET /xled/v1/fw/version: "+string(v.Version))
}
