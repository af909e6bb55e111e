package xiaomi

import (
	"bytes"
	"fmt"
	"net/netip"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Search finds devices of Xiaomi's platform (rytilahti/python-miio
// miio/miioprotocol.py). Whether they show their key is for Probe to ask.
var Search = &prober.Search{
	Name:  "xiaomi-search",
	Doc:   "Broadcasts the miIO hello to UDP port 54321, one datagram a pass, and reads which devices of Xiaomi's platform answer; a key that one shows is dropped at once.",
	Touch: prober.Connect,
	Gives: []string{fact.DeviceProduct.Name()},
	Every: 6 * time.Hour,
	Send:  []prober.Datagram{{Port: port, Payload: hello}},
	Read:  readSearch,
}

func readSearch(from netip.AddrPort, b []byte) (discovery.Observation, error) {
	if from.Port() != port {
		return discovery.Observation{}, fmt.Errorf("answer from udp/%d: %w", from.Port(), prober.ErrUnreadable)
	}
	if len(b) != helloSize || !bytes.HasPrefix(b, hello[:4]) {
		return discovery.Observation{}, fmt.Errorf("no miIO hello: %w", prober.ErrUnreadable)
	}
	e := fact.New("xiaomi-search", time.Time{})
	fact.DeviceProduct.Set(e, "xiaomi", fmt.Sprintf("udp/%d hello: answered", port))
	return discovery.Observation{Facts: e}, nil
}
