package agent

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/agent/home"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/network"
	"github.com/thingwarden/thingwarden/discovery/source/neighbours"
)

// sightEvery is how often it is said which networks are looked at, if that has
// changed.
const sightEvery = 2 * time.Second

// watchSight says at the start, and when it changes, which networks are looked
// at, and judges after a while whether anything of the home can be seen. It ends
// early when the clock went back.
func (a *Agent) watchSight(ctx context.Context) error {
	last := ""
	for {
		line := network.Describe(a.networks())
		if line != last {
			last = line
			a.notice(line)
			a.log.Debug("networks", "watched", a.networks().Watched, "skipped", len(a.networks().Skipped))
		}
		_ = a.send(ctx, input{Input: a.sight()}) // fails only when all ends
		if err := a.checkClock(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(sightEvery):
		}
	}
}

// sight is what can be seen of the home from here.
func (a *Agent) sight() home.Sight {
	n := a.networks()
	s := home.Sight{Remote: a.learnsOfHome()}
	switch {
	case len(n.Watched) > 0:
		s.NoDevice = "No device of your home network has answered or shown itself, not even the router: the network may keep its devices apart (guest network), or a firewall on this machine blocks it."
	case s.Remote:
		s.NoDevice = "No device of your home network has answered or shown itself: Thingwarden is not in that network itself and learns of its devices from Home Assistant alone, which has told of none so far. Look at what it says of the source homeassistant."
	default:
		s.NoDevice = "No device of your home network has been found: this machine is not in a network that you named under network.prefixes, so it asks there only devices of which it is told. Run Thingwarden in that network, or let it learn the devices from Home Assistant (sources.homeassistant)."
	}
	if len(n.Watched) == 0 && len(n.Routed) == 0 {
		s.NoNetwork = "Nothing of your home network can be seen from here: " + describeSkipped(n.Skipped)
	}
	return s
}

// learnsOfHome reports whether another program tells what it sees of the home.
func (a *Agent) learnsOfHome() bool {
	return slices.ContainsFunc(a.kinds, func(k discovery.SourceKind) bool {
		cfg, enabled := a.sourceConfig(k)
		o, ok := cfg.(discovery.Optional)
		return enabled && k.Role.Has(discovery.Hearsay) && (!ok || o.SetUp(a.env(k.Name)))
	})
}

func describeSkipped(skipped []discovery.Skipped) string {
	if len(skipped) == 0 {
		return "this machine has no network interface."
	}
	var parts []string
	for _, s := range skipped {
		parts = append(parts, network.Name(s)+" ("+strings.TrimSuffix(s.Reason, ".")+")")
	}
	return "left out are " + strings.Join(parts, ", ") + ". In a container, use host networking; among the apps of Home Assistant, take “Thingwarden for the whole network”; or let Thingwarden learn the devices from Home Assistant (sources.homeassistant), or name your network under network.prefixes in the configuration."
}

// resolve asks the kernel for the hardware address of an on-link address. It
// sends one datagram and does not wait; and none where the network is not the
// real one, but somebody else's could have that address.
func (a *Agent) resolve(addr netip.Addr) {
	if a.opt.Dial != nil {
		return
	}
	if err := neighbours.Resolve(context.Background(), addr); err != nil {
		a.log.Debug("address not resolved", "addr", addr, "err", err)
		return
	}
	a.countSent(addr, 1, 0)
}
