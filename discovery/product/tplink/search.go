package tplink

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Search finds the devices, most of which announce nothing, by the two searches of
// the maker's apps (python-kasa/python-kasa kasa/discover.py). Who may control them
// is for Probe to ask.
var Search = &prober.Search{
	Name:  "tplink-search",
	Doc:   "Broadcasts the searches of TP-Link's apps to UDP ports 9999 and 20002, one datagram each a pass, and reads which product answers; controls nothing.",
	Touch: prober.Connect,
	Gives: []string{
		fact.DeviceClass.Name(), fact.DeviceFirmware.Name(), fact.DeviceManufacturer.Name(), fact.DeviceModel.Name(), fact.DeviceProduct.Name(),
	},
	Every: 6 * time.Hour,
	Send:  []prober.Datagram{{Port: sysinfoPort, Payload: sysinfoQuestion}, {Port: statePort, Payload: stateQuestion}},
	Read:  readSearch,
}

func readSearch(from netip.AddrPort, b []byte) (discovery.Observation, error) {
	var model, kind, version string
	switch from.Port() {
	case sysinfoPort:
		s, err := decodeSysinfo(b)
		if err != nil {
			return discovery.Observation{}, err
		}
		model, kind, version = string(s.Model), s.kind(), string(s.Version)
	case statePort:
		s, why := readState(b, nil)
		if why != "" {
			return discovery.Observation{}, fmt.Errorf("answer on udp/%d: %w", statePort, prober.ErrUnreadable)
		}
		model, kind, version = string(s.Model), string(s.Type), string(s.Version)
	default:
		return discovery.Observation{}, fmt.Errorf("answer from udp/%d: %w", from.Port(), prober.ErrUnreadable)
	}
	e, at := fact.New("tplink-search", time.Time{}), fmt.Sprintf("udp/%d: ", from.Port())
	setModel(e, model, at)
	setKind(e, kind, model, at)
	if _, ok := fact.DeviceProduct.Get(e); !ok {
		fact.DeviceProduct.Set(e, "tplink", at+"type="+kind)
	}
	if version != "" {
		answer.SetText(e, fact.DeviceFirmware, version, at+"version="+version)
	}
	return discovery.Observation{Facts: e}, nil
}
