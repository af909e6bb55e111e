// Package tplink asks plugs, lamps, hubs and cameras of TP-Link's Kasa and Tapo
// what only they answer. What else is known of them stands on card.yaml beside it.
package tplink

import (
	"context"
	"errors"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe asks whether the old protocol on TCP port 9999 answers, which has no
// password, and else for what newer devices tell on UDP port 20002 before a log-in
// (python-kasa/python-kasa kasa/discover.py and kasa/transports/xortransport.py).
var Probe = &prober.Probe{
	Name:    "tplink",
	Doc:     `Asks a device that shows itself as one of TP-Link's Kasa or Tapo for "get_sysinfo" on TCP port 9999, which old ones obey without a password, else on UDP port 20002 whether it has an owner; logs in nowhere and changes nothing.`,
	Touch:   prober.Read,
	Gives:   words,
	Every:   12 * time.Hour,
	Signs:   signs,
	Applies: signs.On,
	Run:     answer.Run(run),
}

var words = []string{
	fact.ControlOpen.Name(), fact.ControlPasswordPossible.Name(), fact.DeviceClass.Name(), fact.DeviceFirmware.Name(),
	fact.DeviceManufacturer.Name(), fact.DeviceModel.Name(), fact.DeviceProduct.Name(), fact.DeviceSetUp.Name(),
}

var signs = &prober.Signs{
	Products: []string{"kasa-light", "kasa-plug", "kasa-switch", "tapo-camera", "tapo-hub", "tplink"}, Service: "_tapo._tcp",
}

func run(ctx context.Context, t *prober.Target, e *fact.Evidence) {
	s, err := askSysinfo(ctx, t)
	if err == nil {
		s.setFacts(e)
		// A device that obeys anyone may have an owner and tells nothing of it.
		answer.Unknown(e, fact.NotReported, words)
		return
	}
	old := prober.WhyOf(err)
	closed := errors.Is(err, prober.ErrClosed)
	b, err := t.Exchange(ctx, statePort, stateQuestion)
	state, why := readState(b, err)
	if why != "" {
		answer.Unknown(e, old, []string{fact.ControlOpen.Name(), fact.ControlPasswordPossible.Name()})
		answer.Unknown(e, why, words[2:])
		return
	}
	state.setFacts(e, closed)
	answer.Unknown(e, old, words[:2])
	answer.Unknown(e, fact.NotReported, words[2:])
}
