package wiz

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Search finds lamps and plugs, which announce nothing (sbidy/pywizlight
// pywizlight/discovery.py). Who may control them is for Probe to ask.
var Search = &prober.Search{
	Name:  "wiz-search",
	Doc:   "Broadcasts WiZ's question for the configuration to UDP port 38899, one datagram a pass, and reads which product answers; switches nothing.",
	Touch: prober.Connect,
	Gives: []string{
		fact.DeviceClass.Name(), fact.DeviceFirmware.Name(), fact.DeviceManufacturer.Name(), fact.DeviceModel.Name(), fact.DeviceProduct.Name(),
	},
	Every: 6 * time.Hour,
	Send:  []prober.Datagram{{Port: port, Payload: question}},
	Read:  readSearch,
}

func readSearch(from netip.AddrPort, b []byte) (discovery.Observation, error) {
	if from.Port() != port {
		return discovery.Observation{}, fmt.Errorf("answer from udp/%d: %w", from.Port(), prober.ErrUnreadable)
	}
	c, why := readConfig(b, nil)
	if why != "" {
		return discovery.Observation{}, fmt.Errorf("answer on udp/%d: %w", port, prober.ErrUnreadable)
	}
	e := fact.New("wiz-search", time.Time{})
	c.describe(e, fmt.Sprintf("udp/%d getSystemConfig: ", port))
	return discovery.Observation{Facts: e}, nil
}
