// Package roku asks players and televisions with Roku's system what only they answer.
// What else is known of them stands on card.yaml beside it.
package roku

import (
	"context"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/internal/upnp"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe asks a device with Roku's system what it is and who may control it (Roku
// developer documentation, "External Control Protocol (ECP)", query/device-info).
var Probe = &prober.Probe{
	Name:    "roku",
	Doc:     `Asks a device that shows itself as a Roku for "device-info" on TCP port 8060, which says who may control it; presses no key.`,
	Touch:   prober.Read,
	Gives:   words,
	Every:   12 * time.Hour,
	Signs:   signs,
	Applies: signs.On,
	Run:     answer.Run(run),
}

var words = []string{
	fact.ControlOpen.Name(), fact.ControlPasswordPossible.Name(), fact.DeviceClass.Name(), fact.DeviceFirmware.Name(),
	fact.DeviceModel.Name(), fact.DeviceProduct.Name(),
}

var signs = &prober.Signs{Products: []string{"roku", "roku-tv"}}

const at = "tcp/8060 GET /query/device-info: "

func run(ctx context.Context, t *prober.Target, e *fact.Evidence) {
	r, err := t.Get(ctx, 8060, "/query/device-info")
	info, why := readInfo(r, err)
	if why != "" {
		answer.Unknown(e, why, words)
	} else {
		setFacts(e, info)
	}
}

// readInfo reads device-info. Serial numbers and the name of the Wi-Fi stand beside
// what is used of it.
func readInfo(r *prober.Response, err error) (*upnp.Element, fact.Why) {
	return answer.XML(r, err, func(info *upnp.Element) bool {
		return info.Name == "device-info" && info.Value("model-number") != "" && info.Value("software-version") != ""
	})
}

func setFacts(e *fact.Evidence, info *upnp.Element) {
	isTV, version := info.Value("is-tv"), info.Value("software-version")
	if isTV == "true" {
		fact.DeviceProduct.Set(e, "roku-tv", at+"is-tv="+isTV)
		fact.DeviceClass.Set(e, "tv", at+"is-tv="+isTV)
	} else {
		fact.DeviceProduct.Set(e, "roku", at+"is-tv="+isTV)
		fact.DeviceClass.Set(e, "media", at+"is-tv="+isTV)
	}
	model := strings.TrimSpace(info.Value("model-name") + " " + info.Value("model-number"))
	answer.SetText(e, fact.DeviceModel, model, at+"model-number="+info.Value("model-number"))
	answer.SetText(e, fact.DeviceFirmware, version, at+"software-version="+version)
	fact.ControlPasswordPossible.Set(e, false, at+"answered") // ECP knows none
	// "Control by mobile apps" in the settings. Before it there was such a setting,
	// anyone could.
	switch mode := info.Value("ecp-setting-mode"); mode {
	case "enabled", "permissive", "default":
		fact.ControlOpen.Set(e, true, at+"ecp-setting-mode="+mode)
	case "disabled", "limited":
		fact.ControlOpen.Set(e, false, at+"ecp-setting-mode="+mode)
	case "":
		fact.ControlOpen.SetLikely(e, true, at+"no ecp-setting-mode")
	default:
		fact.ControlOpen.Unknown(e, fact.Unreadable)
	}
}
