package discovery

import (
	"cmp"
	"fmt"
	"net/netip"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// MaxDescription is the longest description of a port mapping, in runes.
const MaxDescription = 48

// PortMapping is an entry of a router's list: what comes from the Internet to one
// of its ports goes on to a device of the home (RFC 6970, section 1). Mostly a
// program on that device has asked for it.
type PortMapping struct {
	Client      netip.Addr `json:"client"`                // the device
	Proto       string     `json:"proto"`                 // "tcp" or "udp"
	External    uint16     `json:"external"`              // port on the router's Internet side; 0 means any
	Internal    uint16     `json:"internal"`              // port of the device; 0 means the same
	Permanent   bool       `json:"permanent,omitempty"`   // has no lease, so it stays until somebody removes it
	From        netip.Addr `json:"from,omitzero"`         // only from this address; zero means the whole Internet
	Description string     `json:"description,omitempty"` // as the program that asked for it calls it; cleaned
}

// Token names the mapping in words about its device: "tcp/8554>554", external port
// before internal one, and "tcp/8554>554 from 198.51.100.7" if only that address may
// use it. It is the same for as long as the mapping leads from the same port to the
// same port: acceptances are kept by it. Lease and description are not in it.
func (m PortMapping) Token() string {
	s := fmt.Sprintf("%s/%d>%d", m.Proto, m.External, m.Internal)
	if m.From.IsValid() {
		s += " from " + m.From.String()
	}
	return s
}

// ClientToken names the mapping in words about its router: the device's address, a
// space, and Token, as in "192.0.2.20 tcp/8554>554".
func (m PortMapping) ClientToken() string { return m.Client.String() + " " + m.Token() }

// Proof describes the mapping as evidence: Token, lease and description, the last
// cleaned and quoted so that it cannot pass for another part (threat T17).
func (m PortMapping) Proof() string {
	s := m.Token() + ", leased"
	if m.Permanent {
		s = m.Token() + ", permanent"
	}
	if text := fact.Clean(m.Description, MaxDescription); text != "" {
		s += fmt.Sprintf(", %q", text)
	}
	return s
}

// ComparePortMappings orders mappings by device, protocol and ports.
func ComparePortMappings(a, b PortMapping) int {
	return cmp.Or(a.Client.Compare(b.Client), cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.External, b.External),
		cmp.Compare(a.Internal, b.Internal), a.From.Compare(b.From), cmp.Compare(a.Description, b.Description))
}

// AddressDispute is an address that a device claims by turns with the one that had
// it first.
type AddressDispute struct {
	Addr  netip.Addr `json:"addr"`
	Owner Identifier `json:"owner"` // a MAC address: who had it first
}

// Token names the dispute in the word address.disputed: "192.0.2.1 00:00:5e:00:53:01".
func (d AddressDispute) Token() string { return d.Addr.String() + " " + FormatMAC(d.Owner.Value) }
