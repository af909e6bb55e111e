package neighbours

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// dhcpClient is what a client reports about itself when it requests an address
// (RFC 2132).
type dhcpClient struct {
	host   string // options 12 and 81, first label
	class  string // option 60
	params string // option 55: numbers with commas between them
}

// or fills the gaps of a message from the messages before it: clients leave out in
// one message what they send in another.
func (a dhcpClient) or(before dhcpClient) dhcpClient {
	return dhcpClient{cmp.Or(a.host, before.host), cmp.Or(a.class, before.class), cmp.Or(a.params, before.params)}
}

func (a dhcpClient) setFacts(e *fact.Evidence) {
	for _, x := range []struct {
		word  fact.Fact[string]
		value string
		proof string
	}{
		{fact.DHCPHostname, a.host, "dhcp option 12"}, {fact.DHCPVendorClass, a.class, "dhcp option 60"}, {fact.DHCPParams, a.params, "dhcp option 55"},
	} {
		if x.value != "" {
			x.word.Set(e, x.value, x.proof)
		}
	}
}

// maxParams is how many numbers of option 55 are kept: more are no client's list.
const maxParams = 48

func params(b []byte) string {
	var list []string
	for _, code := range b[:min(len(b), maxParams)] {
		list = append(list, strconv.Itoa(int(code)))
	}
	return strings.Join(list, ",")
}

// parseDHCP4 reads a client's message to a DHCP server (RFC 2131), and keeps its
// hostname (option 12, or 81 of RFC 4702) and the address that it requests.
func (s *sighting) parseDHCP4(b []byte) bool {
	m, err := dhcpv4.FromBytes(readableDHCP4(b))
	if err != nil || m.OpCode != dhcpv4.OpcodeBootRequest || len(m.ClientHWAddr) != 6 || hwaddr(m.ClientHWAddr) != s.mac {
		return false
	}
	kind := strings.ToLower(m.MessageType().String())
	s.proof = fmt.Sprintf("dhcp %s from %s", kind, s.mac)
	class := ""
	if c := m.ClassIdentifier(); c != "" {
		class = fmt.Sprintf(" option 60 %q", c)
	}
	s.dhcp.class = fact.Clean(m.ClassIdentifier(), fact.MaxText)
	s.dhcp.params = params(m.Options.Get(dhcpv4.OptionParameterRequestList))
	name, option := m.HostName(), 12
	if name == "" {
		name, option = fqdn4(m.Options.Get(dhcpv4.OptionFQDN)), 81
	}
	if s.name = hostname(name); s.name != "" {
		s.named, s.dhcp.host = fmt.Sprintf("dhcp %s option %d %q%s", kind, option, s.name, class), s.name
	}
	if m.MessageType() == dhcpv4.MessageTypeRequest {
		if a, ok := netip.AddrFromSlice(m.RequestedIPAddress().To4()); ok && a.IsGlobalUnicast() {
			s.soon = a
		}
	}
	return true
}

// readableDHCP4 returns a message as far as its options are readable, and ended: the
// library refuses one whose last option is cut short or that has no end, as some
// printers send them.
func readableDHCP4(b []byte) []byte {
	const (
		options  = 240 // where they begin, after the cookie (RFC 2131 section 2)
		pad, end = 0, 255
	)
	at := options
	for at < len(b) && b[at] != end {
		next := at + 1
		if b[at] != pad {
			if next == len(b) || next+1+int(b[next]) > len(b) {
				break
			}
			next += 1 + int(b[next])
		}
		at = next
	}
	if len(b) < options || at < len(b) && b[at] == end {
		return b
	}
	return append(slices.Clone(b[:at]), end)
}

// fqdn4 reads option 81: flags, two result codes and the name, in DNS wire
// format if bit E of the flags is set, else as text (RFC 4702 section 2).
func fqdn4(b []byte) string {
	if len(b) < 4 {
		return ""
	}
	const inWireFormat = 0b100
	if b[0]&inWireFormat == 0 {
		return string(b[3:])
	}
	return firstLabel(b[3:])
}

// parseDHCP6 reads a client's message to a DHCP server (RFC 8415), and keeps its
// hostname (option 39, RFC 4704). It reads the options itself: the library
// unpacks every compressed name of a message, which costs a hundred thousand
// times its length when the sender is hostile.
func (s *sighting) parseDHCP6(b []byte) bool {
	kind, ok := dhcp6Kinds[first(b)]
	if len(b) < 4 || !ok || !s.addr.IsLinkLocalUnicast() {
		return false
	}
	s.proof = fmt.Sprintf("dhcpv6 %s from %s at %s", kind, s.addr, s.mac)
	const fqdn = 39
	for options := b[4:]; len(options) >= 4; {
		code, length := binary.BigEndian.Uint16(options), int(binary.BigEndian.Uint16(options[2:]))
		options = options[4:]
		if length > len(options) {
			return false
		}
		if code == fqdn && length > 1 && s.name == "" {
			if s.name = hostname(firstLabel(options[1:length])); s.name != "" {
				s.named = fmt.Sprintf("dhcpv6 %s option %d %q", kind, fqdn, s.name)
			}
		}
		options = options[length:]
	}
	return true
}

// dhcp6Kinds are the messages that clients send (RFC 8415 section 7.3).
var dhcp6Kinds = map[byte]string{
	1: "solicit", 3: "request", 4: "confirm", 5: "renew", 6: "rebind", 8: "release", 9: "decline", 11: "information-request",
}

func first(b []byte) byte {
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

// firstLabel returns the first label of a name in DNS wire format, which in DHCP
// is never compressed.
func firstLabel(b []byte) string {
	if len(b) == 0 || int(b[0]) > min(63, len(b)-1) {
		return ""
	}
	return string(b[1 : 1+b[0]])
}

// hostname returns the first label of a name, cleaned; empty if it identifies no device.
func hostname(s string) string {
	const longest = 63 // of a label, RFC 1035 section 2.3.4
	s, _, _ = strings.Cut(s, ".")
	s = fact.Clean(s, longest)
	if s == "localhost" || s == "*" {
		return ""
	}
	return s
}
