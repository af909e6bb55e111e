// Package discovery is the contract between what learns of the home's devices and
// what uses it.
//
// Sources listen to or ask something that knows many devices (the kernel's
// neighbour table, multicast DNS, a Zigbee bridge); probes put gentle,
// read-only questions to one device. Both report Observations, which package
// inventory merges into Devices, each with its evidence.
//
// It is not this package's job to learn anything itself (the packages below it
// do), to judge what was learned (package policy) or to show it (package agent).
package discovery

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// ID is the permanent name of a device, made from its strongest identifier and
// never from its address or name: mac_<12 hex>, zigbee_<16 hex>,
// zwave_<home id as 8 hex digits>_<node>, matter_…, ip_… while nothing better
// is known, and Hub for our own. It matches [a-z0-9_]{1,40}.
type ID string

// Hub is the ID of the hub's own device, on which words of the whole home stand.
const Hub ID = "hub"

// IDKind is the kind of an Identifier.
type IDKind string

// The kinds of identifiers, strongest first. A device is never merged with
// another because of a weak identifier.
const (
	ZigbeeID  IDKind = "zigbee"     // IEEE address, 16 lower-case hex digits
	ZWaveID   IDKind = "zwave"      // home id as 8 lower-case hex digits, "_", node id
	MACID     IDKind = "mac"        // 12 lower-case hex digits
	PartID    IDKind = "part"       // hardware address that several devices share, "_", number of one of them
	MatterID  IDKind = "matter"     // compressed fabric id "_" node id, lower-case hex
	IPID      IDKind = "ip"         // address whose owner the kernel or a connection has shown
	ClaimedIP IDKind = "claimed-ip" // address that a packet claims; binds only an address that has no owner
)

// Identifier is one thing by which a device is known.
type Identifier struct {
	Kind  IDKind
	Value string
}

// separators are what may stand between the digits of a hardware address.
var separators = strings.NewReplacer(":", "", "-", "", ".", "")

// MAC returns the identifier of a hardware address in any usual spelling, and
// false if it is not one of 48 bits, is all zero or ones, or is a group address.
func MAC(s string) (Identifier, bool) {
	hex := separators.Replace(strings.ToLower(strings.TrimSpace(s)))
	if len(hex) != 12 || !isHex(hex) || hex == "000000000000" || strings.ContainsRune("13579bdf", rune(hex[1])) {
		return Identifier{}, false
	}
	return Identifier{Kind: MACID, Value: hex}, true
}

// Zigbee returns the identifier of an IEEE address such as 0x00158d0001a2b3c4.
func Zigbee(s string) (Identifier, bool) {
	hex := strings.TrimPrefix(strings.ToLower(strings.TrimSpace(s)), "0x")
	if len(hex) != 16 || !isHex(hex) || hex == "0000000000000000" || hex == "ffffffffffffffff" {
		return Identifier{}, false
	}
	return Identifier{Kind: ZigbeeID, Value: hex}, true
}

// IP returns the identifier of an address. The zone of a link-local address is
// kept, since it is part of what the address means.
func IP(a netip.Addr) Identifier { return Identifier{Kind: IPID, Value: a.Unmap().String()} }

// Claimed returns the identifier of an address that the device only claims.
func Claimed(a netip.Addr) Identifier { return Identifier{Kind: ClaimedIP, Value: a.Unmap().String()} }

func isHex(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') }) < 0
}

// Strong reports whether the identifier can name a device for good.
func (i Identifier) Strong() bool { return i.Kind != IPID && i.Kind != ClaimedIP }

// Service is something that a device offers on the network.
type Service struct {
	Proto string // "tcp" or "udp"
	Port  int    // 1 to 65535
	Name  string // DNS-SD type such as "_http._tcp", or the usual name of the port
}

// Observation is what a source or probe reports: facts, services and names of
// one device, or of the home itself.
type Observation struct {
	// By and At are filled by the agent: the name of the source or probe, and
	// the time of arrival.
	By string
	At time.Time

	// About says which device: identifiers that are known to belong together.
	// Empty means the home itself.
	About []Identifier
	// Via is the device through which this one is reached, such as the Zigbee
	// coordinator; zero if none.
	Via Identifier
	// Name is what the device is called by this source; empty if it does not say.
	Name string
	// Services are all services that this source now sees on the device; nil
	// leaves what it said before.
	Services []Service
	// PortMappings is a router's whole list of port mappings, as far as it could be
	// read; nil leaves what this source said before. They count as long as the word
	// wan.port_mappings of this source is known.
	PortMappings []PortMapping
	// Disputed are all addresses that the device claims by turns with another; nil
	// leaves what this source said before.
	Disputed []AddressDispute
	// Facts are merged word by word into what this source said before. A word
	// that ages (MaxAge) keeps its value when it is reported unknown; a live
	// word becomes unknown.
	Facts *fact.Evidence
	// Gone withdraws everything that this source said about the device.
	Gone bool
	// Apart are addresses of the device at which others answer, which share its
	// hardware address as those behind a Wi-Fi extender do.
	Apart []Apart
	// Quiet observations do not count as a sign of life of the device (an entry
	// in a bridge's list is not one).
	Quiet bool
}

// MaxName is the longest name of a device, in runes.
const MaxName = 64

// Apart is a device that shares another's hardware address.
type Apart struct {
	ID    Identifier // made by Part
	Addrs []netip.Addr
}

// Part returns the identifier of a device that shares a hardware address with
// others and shows itself to be a certain product. Its number follows from the
// product, so that another product at the same address is another device, to which
// no trust and no acceptance passes.
func Part(mac Identifier, product string) Identifier {
	h := fnv.New32a()
	_, _ = h.Write([]byte(product))
	return Identifier{PartID, fmt.Sprintf("%s_%d", mac.Value, 1000+h.Sum32()%9000)}
}

// Shares returns the hardware address that a device shares with others, if its
// identifier is that of such a part.
func (i Identifier) Shares() (mac Identifier, ok bool) {
	if i.Kind != PartID {
		return Identifier{}, false
	}
	hex, _, ok := strings.Cut(i.Value, "_")
	return Identifier{MACID, hex}, ok
}

// Device is what the inventory knows of a device's identity. Values are copies.
type Device struct {
	ID        ID
	IDs       []Identifier // all of its identifiers, sorted
	Name      string       // cleaned; "" if no source names it
	Services  []Service    // sorted by port
	Sources   []string     // sorted names of sources that see it
	Via       ID           // "" if none
	FirstSeen time.Time
	LastSeen  time.Time
}

// MACs returns the device's hardware addresses as aa:bb:cc:dd:ee:ff.
func (d Device) MACs() []string {
	var out []string
	for _, i := range d.IDs {
		if i.Kind == MACID {
			out = append(out, FormatMAC(i.Value))
		}
	}
	return out
}

// FormatMAC writes 12 hex digits with colons.
func FormatMAC(hex string) string {
	if len(hex) != 12 {
		return hex
	}
	return strings.Join([]string{hex[0:2], hex[2:4], hex[4:6], hex[6:8], hex[8:10], hex[10:12]}, ":")
}

// Addrs returns the device's addresses, IPv4 first.
func (d Device) Addrs() []netip.Addr {
	var out []netip.Addr
	for _, i := range d.IDs {
		if i.Kind == IPID || i.Kind == ClaimedIP {
			if a, err := netip.ParseAddr(i.Value); err == nil {
				out = append(out, a)
			}
		}
	}
	slices.SortFunc(out, func(a, b netip.Addr) int {
		if a.Is4() != b.Is4() {
			if a.Is4() {
				return -1
			}
			return 1
		}
		return a.Compare(b)
	})
	return slices.Compact(out)
}

// Has reports whether the device has an identifier.
func (d Device) Has(i Identifier) bool { return slices.Contains(d.IDs, i) }

// CompareServices orders services by port, protocol and name.
func CompareServices(a, b Service) int {
	return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Name, b.Name))
}
