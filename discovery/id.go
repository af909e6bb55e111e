package discovery

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
)

// ParseID reads the way in which an owner writes which device is meant: a MAC
// address in any usual spelling, an IEEE address with 0x before it, an IP address,
// or an ID of ours such as mac_aabbccddeeff or zwave_c0ffee00_5. It returns false
// for anything else, and for Hub, which has no identifier.
func ParseID(s string) (Identifier, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	if kind, value, ok := strings.Cut(s, "_"); ok {
		return parseOurs(IDKind(kind), value)
	}
	if strings.HasPrefix(s, "0x") {
		return Zigbee(s)
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return parseAddr(a)
	}
	return MAC(s)
}

func parseOurs(kind IDKind, value string) (Identifier, bool) {
	switch kind {
	case MACID:
		hex, number, part := strings.Cut(value, "_")
		i, ok := MAC(hex)
		if n, err := strconv.ParseUint(number, 10, 16); part {
			ok = ok && err == nil && n >= 1000 && n <= 9999 && strconv.FormatUint(n, 10) == number
			return ifValid(Identifier{PartID, value}, ok && i.Value == hex)
		}
		return ifValid(i, ok && i.Value == value)
	case ZigbeeID:
		i, ok := Zigbee(value)
		return ifValid(i, ok && i.Value == value)
	case ZWaveID:
		home, node, _ := strings.Cut(value, "_")
		n, err := strconv.ParseUint(node, 10, 16)
		ok := len(home) == 8 && isHex(home) && err == nil && n > 0 && strconv.FormatUint(n, 10) == node
		return ifValid(Identifier{Kind: ZWaveID, Value: value}, ok)
	case MatterID:
		fabric, node, _ := strings.Cut(value, "_")
		ok := fabric != "" && node != "" && isHex(fabric) && isHex(node) && len(value) <= 33
		return ifValid(Identifier{Kind: MatterID, Value: value}, ok)
	case IPID:
		for _, sep := range []string{".", ":"} {
			if a, err := netip.ParseAddr(strings.ReplaceAll(value, "_", sep)); err == nil {
				return parseAddr(a)
			}
		}
	}
	return Identifier{}, false
}

func parseAddr(a netip.Addr) (Identifier, bool) {
	ok := !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast()
	return ifValid(IP(a), ok)
}

// ifValid is i, or nothing if it is not valid.
func ifValid(i Identifier, ok bool) (Identifier, bool) {
	if !ok {
		return Identifier{}, false
	}
	return i, true
}

// ID makes the permanent name of the device whose strongest identifier this is.
func (i Identifier) ID() ID {
	value := strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r == '_':
			return r
		default:
			return '_'
		}
	}, strings.ToLower(i.Value))
	kind := i.Kind
	switch kind {
	case ClaimedIP:
		kind = IPID
	case PartID:
		kind = MACID
	}
	id := string(kind) + "_" + value
	if len(id) > 40 {
		sum := sha256.Sum256([]byte(i.Value))
		id = string(kind) + "_" + hex.EncodeToString(sum[:12])
	}
	return ID(id)
}
