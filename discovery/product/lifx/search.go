package lifx

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Search finds lamps, most of which announce nothing (LIFX developer documentation, "LAN
// protocol", "Header"). Who may control them is for Probe to ask.
var Search = &prober.Search{
	Name:  "lifx-search",
	Doc:   "Broadcasts LIFX's question for the firmware to UDP port 56700, one datagram a pass, and reads which lamps answer; switches nothing.",
	Touch: prober.Connect,
	Gives: []string{fact.DeviceFirmware.Name(), fact.DeviceManufacturer.Name(), fact.DeviceProduct.Name()},
	Every: 6 * time.Hour,
	Send:  []prober.Datagram{{Port: port, Payload: tagged(question())}},
	Read:  readSearch,
}

func readSearch(from netip.AddrPort, b []byte) (discovery.Observation, error) {
	if from.Port() != port {
		return discovery.Observation{}, fmt.Errorf("answer from udp/%d: %w", from.Port(), prober.ErrUnreadable)
	}
	version, _, err := readFirmware(b)
	if err != nil {
		return discovery.Observation{}, err
	}
	e, at := fact.New("lifx-search", time.Time{}), fmt.Sprintf("udp/%d StateHostFirmware: ", port)
	fact.DeviceProduct.Set(e, "lifx", at+"answered")
	fact.DeviceManufacturer.Set(e, "LIFX", at+"answered")
	fact.DeviceFirmware.Set(e, version, at+version)
	return discovery.Observation{Facts: e}, nil
}

// tagged marks a question as one to all lamps.
func tagged(b []byte) []byte {
	b[3] |= 1 << 5
	return b
}
