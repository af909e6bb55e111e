// Package goe asks chargers of go-e what only they answer. What else is known of them
// stands on card.yaml beside it.
package goe

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/internal/loosejson"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe asks whether the local interface of a charger is on, which has no password
// and which the owner switches in the app (goecharger/go-eCharger-API-v2, "http-en.md"
// and "apikeys-en.md": fwv, typ).
var Probe = &prober.Probe{
	Name:    "goe",
	Doc:     "Asks a device that shows itself as a charger of go-e for type and firmware by its local interface, which answers only where the owner has switched it on; changes nothing.",
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

var signs = &prober.Signs{Products: []string{"goe-charger"}, Service: "_go-e._tcp", Host: regexp.MustCompile(`(?i)^go-e`)}

func run(ctx context.Context, t *prober.Target, e *fact.Evidence) {
	r, err := t.Get(ctx, 80, "/api/status?filter=fwv,typ")
	s, why := answer.JSON(r, err, status.valid)
	switch {
	case err == nil && r.Status == 404:
		// So answers a charger whose interface is off; so does anything else.
		fact.ControlOpen.SetLikely(e, false, "tcp/80 GET /api/status: 404")
		answer.Unknown(e, fact.NotReported, words)
	case why != "":
		answer.Unknown(e, why, words)
	default:
		s.setFacts(e)
	}
}

type status struct {
	Firmware loosejson.Text `json:"fwv"`
	Type     loosejson.Text `json:"typ"` // go-eCharger_Phoenix
}

func (s status) valid() bool { return s.Firmware != "" && strings.HasPrefix(string(s.Type), "go-e") }

func (s status) setFacts(e *fact.Evidence) {
	at := "tcp/80 GET /api/status: "
	fact.ControlOpen.SetLikely(e, true, at+"answered")
	fact.ControlPasswordPossible.SetLikely(e, false, at+"answered")
	fact.DeviceProduct.Set(e, "goe-charger", at+"typ="+string(s.Type))
	fact.DeviceManufacturer.Set(e, "go-e", at+"typ="+string(s.Type))
	fact.DeviceClass.Set(e, "charger", at+"typ="+string(s.Type))
	answer.SetText(e, fact.DeviceModel, string(s.Type), at+"typ="+string(s.Type))
	answer.SetText(e, fact.DeviceFirmware, string(s.Firmware), at+"fwv="+string(s.Firmware))
}
