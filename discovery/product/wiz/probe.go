// Package wiz asks lamps and plugs of WiZ what only they answer. What else is known of
// them stands on card.yaml beside it.
package wiz

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/internal/loosejson"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe asks a lamp or plug for its configuration by WiZ's local protocol, which
// has no password (sbidy/pywizlight pywizlight/bulb.py, getSystemConfig).
var Probe = &prober.Probe{
	Name:    "wiz",
	Doc:     `Asks a device that shows itself as one of WiZ for "getSystemConfig" on UDP port 38899, where it obeys everyone; switches nothing.`,
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

var signs = &prober.Signs{Products: []string{"wiz"}}

const port = 38899

var question = []byte(`{"method":"getSystemConfig","params":{}}`)

func run(ctx context.Context, t *prober.Target, e *fact.Evidence) {
	b, err := t.Exchange(ctx, port, question)
	c, why := readConfig(b, err)
	if why != "" {
		answer.Unknown(e, why, words)
	} else {
		c.setFacts(e)
	}
}

// config is the answer. Numbers of home and room stand beside what is decoded.
type config struct {
	Module   loosejson.Text `json:"moduleName"`
	Firmware loosejson.Text `json:"fwVersion"`
}

func readConfig(b []byte, err error) (config, fact.Why) {
	if err != nil {
		return config{}, prober.WhyOf(err)
	}
	var reply struct {
		Method loosejson.Text          `json:"method"`
		Result loosejson.Maybe[config] `json:"result"`
	}
	if loosejson.Unmarshal(b, 4<<10, &reply) != nil || reply.Method != "getSystemConfig" || reply.Result.Value.Firmware == "" {
		return config{}, fact.Unreadable
	}
	return reply.Result.Value, ""
}

func (c config) setFacts(e *fact.Evidence) {
	at := fmt.Sprintf("udp/%d getSystemConfig: ", port)
	fact.ControlOpen.Set(e, true, at+"answered")
	fact.ControlPasswordPossible.Set(e, false, at+"answered")
	c.describe(e, at)
}

// describe sets what the device is.
func (c config) describe(e *fact.Evidence, at string) {
	fact.DeviceProduct.Set(e, "wiz", at+"answered")
	fact.DeviceManufacturer.Set(e, "WiZ", at+"answered")
	answer.SetText(e, fact.DeviceModel, string(c.Module), at+"moduleName="+string(c.Module))
	answer.SetText(e, fact.DeviceFirmware, string(c.Firmware), at+"fwVersion="+string(c.Firmware))
	class := "light"
	if strings.Contains(string(c.Module), "_SOCKET") {
		class = "plug"
	}
	fact.DeviceClass.SetLikely(e, class, at+"moduleName="+string(c.Module))
}
