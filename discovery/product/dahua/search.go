package dahua

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Search finds the devices by their maker's search (mcw0/DahuaConsole net.py,
// "DHDiscover.search"). Whether anybody has set them up is for Probe to ask.
var Search = &prober.Search{
	Name:  "dahua-search",
	Doc:   "Sends Dahua's own search to its multicast group, UDP port 37810, one datagram a pass, and reads which product answers; controls nothing.",
	Touch: prober.Connect,
	Gives: []string{
		fact.DeviceClass.Name(), fact.DeviceFirmware.Name(), fact.DeviceManufacturer.Name(), fact.DeviceModel.Name(), fact.DeviceProduct.Name(),
	},
	Every: 6 * time.Hour,
	Send:  []prober.Datagram{{Group: netip.AddrFrom4([4]byte{239, 255, 255, 251}), Port: port, Payload: question()}},
	Read:  readSearch,
}

func readSearch(from netip.AddrPort, b []byte) (discovery.Observation, error) {
	if from.Port() != port {
		return discovery.Observation{}, fmt.Errorf("answer from udp/%d: %w", from.Port(), prober.ErrUnreadable)
	}
	i, why := readInfo(b, nil)
	if why != "" {
		return discovery.Observation{}, fmt.Errorf("answer on udp/%d: %w", port, prober.ErrUnreadable)
	}
	e, at := fact.New("dahua-search", time.Time{}), fmt.Sprintf("udp/%d: ", port)
	i.describe(e, at)
	switch class, _ := fact.DeviceClass.Get(e); class {
	case "camera":
		fact.DeviceProduct.Set(e, "dahua-camera", at+"DeviceClass="+string(i.Class))
	case "recorder":
		fact.DeviceProduct.Set(e, "dahua-recorder", at+"DeviceClass="+string(i.Class))
	case "doorbell":
		fact.DeviceProduct.Set(e, "dahua-doorbell", at+"DeviceClass="+string(i.Class))
	default:
		fact.DeviceProduct.Set(e, "dahua-device", at+"DeviceClass="+string(i.Class))
	}
	return discovery.Observation{Facts: e}, nil
}
