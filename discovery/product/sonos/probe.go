// Package sonos asks loudspeakers of Sonos what only they answer. What else is known of
// them stands on card.yaml beside it.
package sonos

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/internal/upnp"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe reads how a loudspeaker describes itself: its software, and whether it takes
// orders by UPnP, which has no password (SoCo/SoCo soco/core.py,
// "device_description.xml", and soco/services.py, AVTransport).
var Probe = &prober.Probe{
	Name:    "sonos",
	Doc:     "Reads the description of a device that shows itself as one of Sonos on TCP port 1400: its software, and whether everyone may control it by UPnP; plays nothing.",
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

var signs = &prober.Signs{Products: []string{"sonos"}, Service: "_sonos._tcp"}

const (
	port = 1400
	path = "/xml/device_description.xml"
	at   = "tcp/1400 device_description.xml: "
	// transport begins the type of the service that plays and stops.
	transport = "urn:schemas-upnp-org:service:AVTransport:"
)

func run(ctx context.Context, t *prober.Target, e *fact.Evidence) {
	r, err := t.Get(ctx, port, path)
	root, why := readDescription(r, err)
	if why != "" {
		answer.Unknown(e, why, words)
	} else {
		setFacts(e, root)
	}
}

// readDescription reads the description of a loudspeaker. The name of the room stands
// beside what is used of it.
func readDescription(r *prober.Response, err error) (*upnp.Element, fact.Why) {
	return answer.XML(r, err, func(root *upnp.Element) bool {
		d := root.Child("device")
		return strings.HasPrefix(d.Value("manufacturer"), "Sonos") && d.Value("softwareVersion") != ""
	})
}

func setFacts(e *fact.Evidence, root *upnp.Element) {
	d := root.Child("device")
	maker, model, version := d.Value("manufacturer"), d.Value("modelName"), d.Value("softwareVersion")
	fact.DeviceProduct.Set(e, "sonos", at+"manufacturer="+maker)
	fact.DeviceManufacturer.Set(e, "Sonos", at+"manufacturer="+maker)
	fact.DeviceClass.Set(e, "speaker", at+"manufacturer="+maker)
	answer.SetText(e, fact.DeviceModel, model, at+"modelName="+model)
	answer.SetText(e, fact.DeviceFirmware, version, at+"softwareVersion="+version)
	service := ""
	root.Each("serviceType", func(s *upnp.Element) {
		if strings.HasPrefix(s.Text, transport) {
			service = s.Text
		}
	})
	if service == "" { // a bridge plays nothing
		fact.ControlOpen.Unknown(e, fact.NotReported)
		fact.ControlPasswordPossible.Unknown(e, fact.NotReported)
		return
	}
	fact.ControlOpen.SetLikely(e, true, fmt.Sprintf("%sserviceType=%s", at, service))
	fact.ControlPasswordPossible.SetLikely(e, false, fmt.Sprintf("%sserviceType=%s", at, service))
}
