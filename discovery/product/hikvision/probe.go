// Package hikvision asks cameras, recorders and doorbells of Hikvision what only they
// answer. What else is known of them stands on card.yaml beside it.
package hikvision

import (
	"context"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/internal/upnp"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe asks whether the device has been activated, that is, whether somebody has
// given it its first password (Hikvision ISAPI, "/SDK/activateStatus", which wants
// no log-in).
var Probe = &prober.Probe{
	Name:    "hikvision",
	Doc:     "Asks a device that shows itself as one of Hikvision whether somebody has activated it with a password, which it tells without a log-in; activates nothing.",
	Touch:   prober.Read,
	Gives:   words,
	Every:   12 * time.Hour,
	Signs:   signs,
	Applies: signs.On,
	Run:     answer.Run(run),
}

var words = []string{fact.DeviceSetUp.Name()}

var signs = &prober.Signs{Products: []string{"hikvision", "hikvision-camera", "hikvision-device", "hikvision-recorder"}}

func run(ctx context.Context, t *prober.Target, e *fact.Evidence) {
	r, err := t.Get(ctx, 80, "/SDK/activateStatus")
	setActivated(e, r, err)
}

// setActivated reads <ActivateStatus><Activated>true. Firmware from before 2015,
// which came with a password that everyone knows, has no such page.
func setActivated(e *fact.Evidence, r *prober.Response, err error) {
	const at = "tcp/80 GET /SDK/activateStatus: "
	status, why := answer.XML(r, err, func(root *upnp.Element) bool { return root.Name == "ActivateStatus" })
	if why != "" {
		fact.DeviceSetUp.Unknown(e, why)
		return
	}
	switch said := status.Value("Activated"); said {
	case "true", "false":
		fact.DeviceSetUp.SetLikely(e, said == "true", at+"Activated="+said)
	default:
		fact.DeviceSetUp.Unknown(e, fact.Unreadable)
	}
}
