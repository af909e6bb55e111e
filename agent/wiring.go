package agent

import (
	"cmp"
	"slices"

	"github.com/thingwarden/thingwarden/agent/home"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/builtin"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// sourceConfig returns the configuration of a source, and whether it is switched
// on. Sources in place of the built-in ones have their own.
func (a *Agent) sourceConfig(k discovery.SourceKind) (cfg discovery.SourceConfig, enabled bool) {
	c := a.opt.Config.Sources[k.Name]
	if a.opt.Sources != nil {
		return k.Default(), c == nil || c.Enabled
	}
	return c.Config, c.Enabled
}

// proberOptions are what the probes may do, and what becomes of their answers.
func (a *Agent) proberOptions() prober.Options {
	c := a.opt.Config
	return prober.Options{
		Probes: gentlestFirst(builtin.Probes), Searches: builtin.Searches, Touch: c.Touch, DeviceTouch: a.deviceTouch, NeverProbe: a.neverProbe, Recognise: a.cards.Recognise,
		PerDevice: c.Network.ConnectionsPerSecond.Device, PerHouse: c.Network.ConnectionsPerSecond.House,
		Dial: a.opt.Dial, DialUDP: a.opt.DialUDP, Networks: a.networks, Now: a.now,
		Report: func(o discovery.Observation) {
			a.inputs <- input{Input: home.Observation{Observation: o}}
		},
		Sent: a.mail.addSent,
		Health: func(name string, s discovery.Status, problem string) {
			a.mail.setHealth("probe "+name, s, problem)
		},
		Log: a.log,
	}
}

// deviceTouch is how far questions to a device may go, where the owner says so.
func (a *Agent) deviceTouch(d discovery.Device) (prober.Touch, bool) {
	for _, x := range a.opt.Config.Devices {
		if x.Touch == nil {
			continue
		}
		if i, ok := discovery.ParseID(x.Match); ok && d.Has(i) {
			return *x.Touch, true
		}
	}
	return 0, false
}

// gentlestFirst orders the probes of a pass: those that only listen to what a
// service says come before those that ask, so that a host that drops what it does
// not offer has been asked for Telnet before the pass gives up.
func gentlestFirst(probes []*prober.Probe) []*prober.Probe {
	return slices.SortedStableFunc(slices.Values(probes), func(a, b *prober.Probe) int { return cmp.Compare(a.Touch, b.Touch) })
}
