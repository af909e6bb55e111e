package agent

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/agent/home"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/probe"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/source/homeassistant"
	"github.com/thingwarden/thingwarden/discovery/source/mdns"
	"github.com/thingwarden/thingwarden/discovery/source/neighbours"
	"github.com/thingwarden/thingwarden/discovery/source/ssdp"
	"github.com/thingwarden/thingwarden/discovery/source/static"
	"github.com/thingwarden/thingwarden/discovery/source/zigbee2mqtt"
	"github.com/thingwarden/thingwarden/discovery/source/zwavejs"
	"github.com/thingwarden/thingwarden/policy"
)

// LoadPolicies loads the built-in packs and those of the owner, without the
// policies that the owner switched off. The error holds every mistake of every
// file.
func LoadPolicies(cfg config.Config) (*policy.Set, error) {
	packs := policy.Builtin()
	for _, dir := range cfg.Policies.Packs {
		packs = append(packs, policy.DirPack(dir))
	}
	set, err := policy.Load(policy.Options{
		Disable:   cfg.Policies.Disable,
		DisableAt: func(i int) string { return cfg.Place(fmt.Sprintf("policies.disable[%d]", i)) },
	}, packs...)
	if err != nil {
		return nil, fmt.Errorf("loading policies: %w", err)
	}
	return set, nil
}

// sourceConfig returns the configuration of a source in the source's own type,
// and whether it is switched on.
func sourceConfig(c config.Config, name string) (cfg any, enabled bool) {
	s := c.Sources
	switch name {
	case neighbours.Kind.Name:
		return neighbours.Config{Enabled: s.Neighbours.Enabled, ListenOnly: listenOnly(c)}, s.Neighbours.Enabled
	case homeassistant.Kind.Name:
		h := s.HomeAssistant
		return homeassistant.Config{Enabled: h.Enabled, URL: h.URL, Token: h.Token}, h.Enabled
	case mdns.Kind.Name:
		return mdns.Config{Enabled: s.MDNS.Enabled, Advertise: s.MDNS.Advertise}, s.MDNS.Enabled
	case ssdp.Kind.Name:
		return ssdp.Config{Enabled: s.SSDP.Enabled, ListenOnly: listenOnly(c)}, s.SSDP.Enabled
	case zigbee2mqtt.Kind.Name:
		return zigbee2mqtt.Config{Enabled: s.Zigbee2MQTT.Enabled, BaseTopics: s.Zigbee2MQTT.BaseTopics}, s.Zigbee2MQTT.Enabled
	case zwavejs.Kind.Name:
		return zwavejs.Config{Enabled: s.ZWaveJS.Enabled, URLs: s.ZWaveJS.URLs}, s.ZWaveJS.Enabled
	case static.Kind.Name:
		return staticConfig(c), s.Static.Enabled
	default:
		return nil, true
	}
}

// hearsay reports whether a source passes on what others know.
func hearsay(by string) bool { return by == homeassistant.Name }

// opinion reports whether a source only says something about devices.
func opinion(by string) bool { return by == static.Kind.Name }

func staticConfig(c config.Config) static.Config {
	var out static.Config
	for _, d := range c.Devices {
		out.Devices = append(out.Devices, static.Device{Match: d.Match, Name: d.Name, Class: d.Class})
	}
	return out
}

// proberOptions are what the probes may do, and what becomes of their answers.
func (a *Agent) proberOptions() prober.Options {
	c := a.opt.Config
	return prober.Options{
		Probes: gentlestFirst(probe.All), Touch: c.Touch, DeviceTouch: a.deviceTouch, NeverProbe: a.neverProbe,
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
