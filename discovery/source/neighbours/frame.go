package neighbours

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"

	"github.com/thingwarden/thingwarden/discovery"
)

// hwaddr is an Ethernet address.
type hwaddr [6]byte

// String writes the address as aa:bb:cc:dd:ee:ff.
func (m hwaddr) String() string { return discovery.FormatMAC(m.hex()) }

func (m hwaddr) hex() string { return hex.EncodeToString(m[:]) }

// unicast reports whether the address can be that of one interface.
func (m hwaddr) unicast() bool { return m[0]&1 == 0 && m != hwaddr{} }

// sighting is what one frame reports about its sender.
type sighting struct {
	mac   hwaddr     // source of the frame
	addr  netip.Addr // that the sender claims, without zone; may be invalid
	soon  netip.Addr // that the sender is about to use; may be invalid
	name  string     // hostname; may be empty
	named string     // proof of the name
	dhcp  dhcpClient // what it reported by DHCP
	proof string
}

// EtherTypes, protocols and ports of the frames that are read (IANA).
const (
	typeIPv4 = 0x0800
	typeARP  = 0x0806
	typeIPv6 = 0x86dd

	protoUDP    = 17
	protoICMPv6 = 58

	portDHCPServer  = 67
	portDHCPClient  = 68
	portDHCP6Client = 546
	portDHCP6Server = 547
	portSSDP        = 1900
	portMDNS        = 5353
)

const etherHeader = 14

// parseFrame reads an Ethernet frame of ARP (RFC 826), IPv6 neighbour discovery
// (RFC 4861), DHCP or UDP to mDNS or SSDP. False means that it reveals
// nothing reliable about its sender: it is cut, of another kind, from a group
// address, or names another link-layer address than the one that it came from.
func parseFrame(b []byte) (sighting, bool) {
	if len(b) < etherHeader {
		return sighting{}, false
	}
	s := sighting{mac: hwaddr(b[6:12])}
	if !s.mac.unicast() {
		return sighting{}, false
	}
	ok := false
	switch body := b[etherHeader:]; binary.BigEndian.Uint16(b[12:]) {
	case typeARP:
		ok = s.parseARP(body)
	case typeIPv4:
		ok = s.parseIPv4(body)
	case typeIPv6:
		ok = s.parseIPv6(body)
	}
	return s, ok
}

// parseARP reads an ARP packet for IPv4 on Ethernet.
func (s *sighting) parseARP(b []byte) bool {
	const length = 28
	if len(b) < length || binary.BigEndian.Uint64(b)>>16 != 0x0001_0800_0604 || hwaddr(b[8:14]) != s.mac {
		return false
	}
	sender, target := netip.AddrFrom4([4]byte(b[14:18])), netip.AddrFrom4([4]byte(b[24:28]))
	switch op := binary.BigEndian.Uint16(b[6:]); {
	case op != 1 && op != 2:
		return false
	case sender.IsUnspecified() && op == 1: // probe, RFC 5227 section 1.1
		s.soon = target
		s.proof = fmt.Sprintf("arp probe %s from %s", target, s.mac)
	case sender == target:
		s.addr = sender
		s.proof = fmt.Sprintf("arp announcement %s is-at %s", sender, s.mac)
	case op == 1:
		s.addr = sender
		s.proof = fmt.Sprintf("arp who-has %s tell %s from %s", target, sender, s.mac)
	default:
		s.addr = sender
		s.proof = fmt.Sprintf("arp reply %s is-at %s", sender, s.mac)
	}
	return true
}

// parseIPv4 reads an unfragmented UDP datagram.
func (s *sighting) parseIPv4(b []byte) bool {
	if len(b) < 20 || b[0]>>4 != 4 || b[9] != protoUDP {
		return false
	}
	header, total := int(b[0]&0x0f)*4, int(binary.BigEndian.Uint16(b[2:]))
	fragment := binary.BigEndian.Uint16(b[6:])&0x3fff != 0 // more fragments, or an offset
	if header < 20 || total < header || total > len(b) || fragment {
		return false
	}
	return s.parseUDP(netip.AddrFrom4([4]byte(b[12:16])), b[header:total])
}

// parseIPv6 reads a UDP datagram or neighbour discovery, without extension headers.
func (s *sighting) parseIPv6(b []byte) bool {
	const header = 40
	if len(b) < header || b[0]>>4 != 6 {
		return false
	}
	total := header + int(binary.BigEndian.Uint16(b[4:]))
	if total > len(b) {
		return false
	}
	from := netip.AddrFrom16([16]byte(b[8:24]))
	switch next, hops := b[6], b[7]; {
	case next == protoUDP:
		return s.parseUDP(from, b[header:total])
	case next == protoICMPv6 && hops == 255: // RFC 4861 section 7.1: else it came through a router
		return s.parseND(from, b[header:total])
	default:
		return false
	}
}

// Types of ICMPv6 (RFC 4861 section 4).
const (
	routerSolicitation    = 133
	routerAdvertisement   = 134
	neighbourSolicitation = 135
	neighbourAdvert       = 136
)

// parseND reads a message of neighbour discovery.
func (s *sighting) parseND(from netip.Addr, b []byte) bool {
	if len(b) < 8 || b[1] != 0 {
		return false
	}
	options := 8
	var target netip.Addr
	what := ""
	switch b[0] {
	case routerSolicitation:
		what = "router solicitation"
	case routerAdvertisement:
		what, options = "router advertisement", 16
	case neighbourSolicitation, neighbourAdvert:
		if what, options = "neighbour solicitation", 24; len(b) < options {
			return false
		}
		target = netip.AddrFrom16([16]byte(b[8:24]))
	default:
		return false
	}
	if len(b) < options || !s.ownLinkLayer(b[options:]) {
		return false
	}
	switch {
	case b[0] == neighbourAdvert:
		s.addr = target
		s.proof = fmt.Sprintf("icmpv6 neighbour advertisement %s is-at %s", target, s.mac)
	case from.IsUnspecified() && b[0] == neighbourSolicitation: // duplicate address detection, RFC 4862 section 5.4
		s.soon = target
		s.proof = fmt.Sprintf("icmpv6 duplicate address detection of %s from %s", target, s.mac)
	default:
		s.addr = from
		s.proof = fmt.Sprintf("icmpv6 %s from %s at %s", what, from, s.mac)
	}
	if s.addr.IsUnspecified() {
		s.addr = netip.Addr{}
	}
	return true
}

// ownLinkLayer reports whether the options are well formed and name no other
// link-layer address than that of the frame (RFC 4861 section 4.6).
func (s *sighting) ownLinkLayer(b []byte) bool {
	for len(b) > 0 {
		if len(b) < 8 || b[1] == 0 || len(b) < int(b[1])*8 {
			return false
		}
		if (b[0] == 1 || b[0] == 2) && hwaddr(b[2:8]) != s.mac {
			return false
		}
		b = b[int(b[1])*8:]
	}
	return true
}

// parseUDP reads the kinds of datagrams that identify their sender at once.
func (s *sighting) parseUDP(from netip.Addr, b []byte) bool {
	if len(b) < 8 {
		return false
	}
	length := int(binary.BigEndian.Uint16(b[4:]))
	if length < 8 || length > len(b) {
		return false
	}
	port, body := binary.BigEndian.Uint16(b[2:]), b[8:length]
	if from.Is4() == (port == portDHCP6Client || port == portDHCP6Server) && port != portMDNS && port != portSSDP {
		return false
	}
	if !from.IsUnspecified() {
		s.addr = from
	}
	s.proof = fmt.Sprintf("udp/%d from %s at %s", port, from, s.mac)
	switch port {
	case portMDNS, portSSDP, portDHCPClient, portDHCP6Client:
		return s.addr.IsValid()
	case portDHCPServer:
		return s.parseDHCP4(body)
	case portDHCP6Server:
		return s.parseDHCP6(body)
	default:
		return false
	}
}
