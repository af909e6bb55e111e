package agent

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/agent/home"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/builtin"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/product"
	"github.com/thingwarden/thingwarden/policy"
)

// LoadPolicies loads the built-in packs and those of the owner, without the
// policies that the owner switched off. The error holds every mistake of every
// file.
func LoadPolicies(cfg config.Config) (*policy.Set, error) {
	cards, err := loadCards()
	if err != nil {
		return nil, err
	}
	return loadPolicies(cfg, cards)
}

func loadCards() (*product.Cards, error) {
	cards, err := product.Load()
	if err != nil {
		return nil, fmt.Errorf("loading product cards: %w", err)
	}
	return cards, nil
}

// loadPolicies is LoadPolicies with the cards, which are large.
func loadPolicies(cfg config.Config, cards *product.Cards) (*policy.Set, error) {
	packs := policy.Builtin()
	for _, dir := range cfg.Policies.Packs {
		packs = append(packs, policy.DirPack(dir))
	}
	set, err := policy.Load(policy.Options{
		Steps:     cards.Remedies(),
		Disable:   cfg.Policies.Disable,
		DisableAt: func(i int) string { return cfg.Place(fmt.Sprintf("policies.disable[%d]", i)) },
	}, packs...)
	if err != nil {
		return nil, fmt.Errorf("loading policies: %w", err)
	}
	return set, nil
}

// sourceConfig returns the configuration of a source, and whether it is switched
// on. Sources in place of the built-in ones have their own.
func (a *Agent) sourceConfig(k discovery.SourceKind) (cfg discovery.SourceConfig, enabled bool) {
	c := a.opt.Config.Sources[k.Name]
	if a.opt.Sources != nil {
		return k.Default(), c == nil || c.Enabled
	}
	return c.Config, c.Enabled
}

// ownerDevices are what the owner says of single devices.
func ownerDevices(c config.Config) []discovery.OwnerDevice {
	var out []discovery.OwnerDevice
	for _, d := range c.Devices {
		out = append(out, discovery.OwnerDevice{Match: d.Match, Name: d.Name, Class: d.Class})
	}
	return out
}

// proberOptions are what the probes may do, and what becomes of their answers.
func (a *Agent) proberOptions() prober.Options {
	c := a.opt.Config
	return prober.Options{
		Probes: gentlestFirst(builtin.Probes), Touch: c.Touch, DeviceTouch: a.deviceTouch, NeverProbe: a.neverProbe, Recognise: a.cards.Recognise,
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

// listenOnly reports whether nothing at all may be sent to devices.
func listenOnly(c config.Config) bool {
	pace := c.Network.ConnectionsPerSecond
	return c.Touch == prober.Listen || pace.Device == 0 || pace.House == 0
}

// gentlestFirst orders the probes of a pass: those that only listen to what a
// service says come before those that ask, so that a host that drops what it does
// not offer has been asked for Telnet before the pass gives up.
func gentlestFirst(probes []*prober.Probe) []*prober.Probe {
	return slices.SortedStableFunc(slices.Values(probes), func(a, b *prober.Probe) int { return cmp.Compare(a.Touch, b.Touch) })
}
