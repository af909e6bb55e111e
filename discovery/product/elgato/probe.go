// Package elgato asks lights of Elgato what only they answer. What else is known of them
// stands on card.yaml beside it.
package elgato

import (
	"context"
	"fmt"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/internal/loosejson"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe asks a light for its product and firmware. Its interface has no password
// (frenck/python-elgato src/elgato/elgato.py, "accessory-info").
var Probe = &prober.Probe{
	Name:    "elgato",
	Doc:     `Asks a device that shows itself as a light of Elgato for "accessory-info" on TCP port 9123, where it obeys everyone; switches nothing.`,
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

var signs = &prober.Signs{Products: []string{"elgato-light"}, Service: "_elg._tcp"}

func run(ctx context.Context, t *prober.Target, e *fact.Evidence) {
	port := prober.AnnouncedPort(t.Device(), "_elg._tcp", 9123)
	r, err := t.Get(ctx, port, "/elgato/accessory-info")
	i, why := answer.JSON(r, err, info.valid)
	if why != "" {
		answer.Unknown(e, why, words)
	} else {
		i.setFacts(e, fmt.Sprintf("tcp/%d accessory-info: ", port))
	}
}

// info is the answer. Serial number and the name that the owner gave stand beside what
// is decoded.
type info struct {
	Product  loosejson.Text   `json:"productName"`
	Firmware loosejson.Text   `json:"firmwareVersion"`
	Build    loosejson.Number `json:"firmwareBuildNumber"`
}

func (i info) valid() bool { return i.Product != "" && i.Firmware != "" && i.Build.Known }

func (i info) setFacts(e *fact.Evidence, at string) {
	fact.ControlOpen.Set(e, true, at+"answered")
	fact.ControlPasswordPossible.Set(e, false, at+"answered")
	fact.DeviceProduct.Set(e, "elgato-light", at+"productName="+string(i.Product))
	fact.DeviceManufacturer.Set(e, "Elgato", at+"productName="+string(i.Product))
	fact.DeviceClass.Set(e, "light", at+"productName="+string(i.Product))
	answer.SetText(e, fact.DeviceModel, string(i.Product), at+"productName="+string(i.Product))
	answer.SetText(e, fact.DeviceFirmware, string(i.Firmware), at+"firmwareVersion="+string(i.Firmware))
}
