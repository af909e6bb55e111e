// Package tuya hears what devices of Tuya broadcast of themselves. What else is known of
// them stands on card.yaml beside it.
package tuya

import (
	"bytes"
	"crypto/aes"
	"crypto/md5" //nolint:gosec // of the protocol
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/loosejson"
	"github.com/thingwarden/thingwarden/discovery/internal/version"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Searches hear the broadcasts that devices make every few seconds: of the old
// protocol on UDP port 6666, of the newer one on 6667, scrambled by a key that is
// known to all (jasonacox/tinytuya tinytuya/scanner.py and core/crypto_helper.py).
var Searches = []*prober.Search{
	{
		Name: "tuya-plain", ListenPort: 6666,
		Doc:   "Hears for some seconds what old devices of Tuya broadcast to UDP port 6666: which protocol they speak; sends nothing.",
		Touch: prober.Listen, Gives: words, Every: 6 * time.Hour, Applies: looksLikeTuya,
		Read: func(from netip.AddrPort, b []byte) (discovery.Observation, error) {
			return read("tuya-plain", from, b, false)
		},
	},
	{
		Name: "tuya-scrambled", ListenPort: 6667,
		Doc:   "Hears for some seconds what devices of Tuya broadcast to UDP port 6667: which protocol they speak; sends nothing.",
		Touch: prober.Listen, Gives: words, Every: 6 * time.Hour, Applies: looksLikeTuya,
		Read: func(from netip.AddrPort, b []byte) (discovery.Observation, error) {
			return read("tuya-scrambled", from, b, true)
		},
	},
}

var words = []string{fact.ControlEncrypted.Name(), fact.DeviceProduct.Name()}

func looksLikeTuya(_ discovery.Device, ev *fact.Evidence) bool {
	product, _ := fact.DeviceProduct.Get(ev)
	return product == "tuya"
}

const (
	prefix   = 0x000055aa
	overhead = 20 + 8 // prefix, number, command, length, result; checksum, suffix
	maxBody  = 2 << 10
)

// broadcastKey scrambles all broadcasts of all devices.
var broadcastKey = md5.Sum([]byte("yGAdlopoPVldABfn")) //nolint:gosec // of the protocol

// broadcast is what a device says of itself. Its identifiers are not kept.
type broadcast struct {
	IP      loosejson.Text `json:"ip"`
	Encrypt loosejson.Flag `json:"encrypt"`
	Version loosejson.Text `json:"version"`
}

func read(by string, from netip.AddrPort, b []byte, scrambled bool) (discovery.Observation, error) {
	said, err := decode(b, scrambled)
	if err != nil {
		return discovery.Observation{}, err
	}
	// One that speaks for another address is not what it says.
	if ip, err := netip.ParseAddr(string(said.IP)); err != nil || ip != from.Addr().Unmap() {
		return discovery.Observation{}, fmt.Errorf("broadcast for another address: %w", prober.ErrUnreadable)
	}
	e := fact.New(by, time.Time{})
	proof := fmt.Sprintf("broadcast: version=%s, encrypt=%t", said.Version, said.Encrypt.Value)
	fact.DeviceProduct.Set(e, "tuya", proof)
	switch order, ok := version.Compare(string(said.Version), "3.2"); {
	case ok && order < 0, said.Encrypt.Known && !said.Encrypt.Value:
		fact.ControlEncrypted.SetLikely(e, false, proof)
	case ok && said.Encrypt.Value:
		fact.ControlEncrypted.SetLikely(e, true, proof)
	default:
		fact.ControlEncrypted.Unknown(e, fact.NotReported)
	}
	return discovery.Observation{Facts: e}, nil
}

// decode reads the frame of a broadcast and the JSON in it.
func decode(b []byte, scrambled bool) (said broadcast, err error) {
	if len(b) < overhead || len(b) > maxBody || binary.BigEndian.Uint32(b) != prefix {
		return said, fmt.Errorf("no frame of Tuya: %w", prober.ErrUnreadable)
	}
	body := b[20 : len(b)-8]
	if scrambled {
		if body = unscramble(body); body == nil {
			return said, fmt.Errorf("scrambled otherwise: %w", prober.ErrUnreadable)
		}
	}
	if loosejson.Unmarshal(body, maxBody, &said) != nil || !strings.HasPrefix(string(said.Version), "3.") {
		return said, fmt.Errorf("no broadcast of Tuya: %w", prober.ErrUnreadable)
	}
	return said, nil
}

// unscramble decrypts AES-128 in ECB mode and takes the padding off; nil if it is
// not that.
func unscramble(b []byte) []byte {
	block, err := aes.NewCipher(broadcastKey[:])
	if err != nil || len(b) == 0 || len(b)%aes.BlockSize != 0 {
		return nil
	}
	out := make([]byte, len(b))
	for i := 0; i < len(b); i += aes.BlockSize {
		block.Decrypt(out[i:], b[i:])
	}
	pad := int(out[len(out)-1])
	if pad == 0 || pad > aes.BlockSize || !bytes.Equal(out[len(out)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil
	}
	return out[:len(out)-pad]
}
