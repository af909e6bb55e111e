// Package cast asks televisions, loudspeakers and players of many makers that speak
// Google Cast what they are. It casts nothing.
package cast

import (
	"context"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/internal/loosejson"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

const name = "cast"

// Probe asks a device that announces Google Cast for its "eureka_info". Cast knows
// no password: whoever is on the network may cast (home-assistant-libs/pychromecast
// pychromecast/dial.py, get_device_info).
var Probe = &prober.Probe{
	Name:    name,
	Doc:     `Asks a device that announces Google Cast for its "eureka_info" on TCP port 8443, on older ones 8008; casts nothing.`,
	Touch:   prober.Read,
	Gives:   words,
	Every:   12 * time.Hour,
	Applies: applies,
	Run:     answer.Run(run),
}

var words = []string{
	fact.ControlOpen.Name(), fact.ControlPasswordPossible.Name(), fact.DeviceClass.Name(), fact.DeviceFirmware.Name(),
	fact.DeviceManufacturer.Name(), fact.DeviceModel.Name(),
}

// path leaves out what is private: names, and identifiers in the cloud.
const path = "/setup/eureka_info?params=build_info,device_info"

func applies(d discovery.Device, ev *fact.Evidence) bool {
	return prober.Reachable(d, ev) &&
		slices.ContainsFunc(d.Services, func(s discovery.Service) bool { return s.Name == "_googlecast._tcp" })
}

func run(ctx context.Context, t *prober.Target, e *fact.Evidence) {
	at := "tls/8443 eureka_info: "
	r, err := t.GetTLS(ctx, 8443, path)
	if ctx.Err() == nil && (err != nil || r.Status != 200) {
		at = "tcp/8008 eureka_info: "
		r, err = t.Get(ctx, 8008, path)
	}
	i, why := answer.JSON(r, err, info.valid)
	if why != "" {
		answer.Unknown(e, why, words)
	} else {
		i.setFacts(e, at, t.Known())
	}
}

// info is the answer. Keys and identifiers stand beside what is decoded.
type info struct {
	Build  loosejson.Maybe[*build]  `json:"build_info"`
	Device loosejson.Maybe[*device] `json:"device_info"`
}

type build struct {
	Cast loosejson.Text `json:"cast_build_revision"`
}

type device struct {
	Manufacturer loosejson.Text `json:"manufacturer"`
	Model        loosejson.Text `json:"model_name"`
	Product      loosejson.Text `json:"product_name"`
}

func (i info) valid() bool {
	b, d := i.Build.Value, i.Device.Value
	return d != nil && (d.Model != "" || d.Product != "") && (d.Manufacturer != "" || b != nil)
}

func (i info) setFacts(e *fact.Evidence, at string, known *fact.Evidence) {
	b, d := i.Build.Value, i.Device.Value
	fact.ControlOpen.Set(e, true, at+"answered")
	fact.ControlPasswordPossible.Set(e, false, at+"answered")
	if b == nil {
		b = &build{}
	}
	answer.SetText(e, fact.DeviceFirmware, string(b.Cast), at+"cast_build_revision="+string(b.Cast))
	answer.SetText(e, fact.DeviceManufacturer, string(d.Manufacturer), at+"manufacturer="+string(d.Manufacturer))
	answer.SetText(e, fact.DeviceModel, string(d.Model), at+"model_name="+string(d.Model))
	// Others know better whether it is a loudspeaker or a television.
	if n, _ := known.Entry(fact.DeviceClass.Name()); n.Known() && n.By != name {
		fact.DeviceClass.Unknown(e, fact.NotReported)
	} else {
		fact.DeviceClass.SetLikely(e, "media", at+"answered")
	}
}
