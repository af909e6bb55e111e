// Package signify asks Philips Hue bridges what only they answer. What else is known of
// them stands on card.yaml beside it.
package signify

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/internal/loosejson"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe asks a Hue bridge for its public configuration, which it tells without a
// key (Hue developer documentation, "Configuration API", 7.2; home-assistant-libs/aiohue
// aiohue/discovery.py).
var Probe = &prober.Probe{
	Name:    "signify",
	Doc:     "Asks a device that shows itself as a Hue bridge for the configuration that it tells without a key: version, model, and whether it is as it left the factory; pairs with nothing.",
	Touch:   prober.Read,
	Gives:   words,
	Every:   12 * time.Hour,
	Signs:   signs,
	Applies: signs.On,
	Run:     answer.Run(run),
}

var words = []string{
	fact.DeviceClass.Name(), fact.DeviceFirmware.Name(), fact.DeviceManufacturer.Name(), fact.DeviceModel.Name(),
	fact.DeviceProduct.Name(), fact.DeviceSetUp.Name(),
}

var signs = &prober.Signs{Products: []string{"hue-bridge"}, Service: "_hue._tcp"}

func run(ctx context.Context, t *prober.Target, e *fact.Evidence) {
	at := "tcp/80 GET /api/config: "
	r, err := t.Get(ctx, 80, "/api/config")
	if ctx.Err() == nil && (err != nil || r.Status >= 300 && r.Status < 400) {
		at = "tls/443 GET /api/config: "
		r, err = t.GetTLS(ctx, 443, "/api/config")
	}
	c, why := answer.JSON(r, err, config.valid)
	switch {
	case why == "" && !c.isOf(t.Device()):
		// A program that plays a bridge so that others find its lamps.
		answer.Unknown(e, fact.NotReported, words)
	case why != "":
		answer.Unknown(e, why, words)
	default:
		c.setFacts(e, at)
	}
}

// config is the public part of the configuration.
type config struct {
	Model      loosejson.Text `json:"modelid"`
	Version    loosejson.Text `json:"swversion"`
	API        loosejson.Text `json:"apiversion"`
	MAC        loosejson.Text `json:"mac"`
	ID         loosejson.Text `json:"bridgeid"`
	FactoryNew loosejson.Flag `json:"factorynew"`
}

var model = regexp.MustCompile(`^BSB00\d$`)

// valid reports whether the answer is that of a bridge. Its identifier is its MAC
// address with FFFE in the middle (absent before 2015).
func (c config) valid() bool {
	mac, ok := discovery.MAC(string(c.MAC))
	if !ok || !model.MatchString(string(c.Model)) || c.Version == "" {
		return false
	}
	return c.ID == "" || strings.EqualFold(string(c.ID), mac.Value[:6]+"fffe"+mac.Value[6:])
}

// isOf reports whether nothing else than the MAC address that is told is known of
// the device: a program that plays a bridge invents one.
func (c config) isOf(d discovery.Device) bool {
	told, _ := discovery.MAC(string(c.MAC))
	known := slices.ContainsFunc(d.IDs, func(id discovery.Identifier) bool { return id.Kind == discovery.MACID })
	return !known || slices.Contains(d.IDs, told)
}

func (c config) setFacts(e *fact.Evidence, at string) {
	proof := at + "modelid=" + string(c.Model)
	fact.DeviceProduct.Set(e, "hue-bridge", proof)
	fact.DeviceManufacturer.Set(e, "Philips Hue", proof)
	fact.DeviceModel.Set(e, string(c.Model), proof)
	fact.DeviceClass.Set(e, "bridge", proof)
	answer.SetText(e, fact.DeviceFirmware, string(c.Version), at+"swversion="+string(c.Version))
	switch {
	case c.FactoryNew.Bad:
		fact.DeviceSetUp.Unknown(e, fact.Unreadable)
	case !c.FactoryNew.Known:
		fact.DeviceSetUp.Unknown(e, fact.NotReported)
	case c.FactoryNew.Value: // recorded of programs that play a bridge only
		fact.DeviceSetUp.SetLikely(e, false, at+"factorynew=true")
	default:
		fact.DeviceSetUp.Set(e, true, at+"factorynew=false")
	}
}
