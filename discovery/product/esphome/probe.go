// Package esphome asks devices with ESPHome's firmware what only they answer. What else is
// known of them stands on card.yaml beside it.
package esphome

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe asks a device with ESPHome's firmware whether its native API is
// encrypted and its web page open.
var Probe = &prober.Probe{
	Name:  "esphome",
	Doc:   "Greets a device that shows itself as ESPHome on its API, TCP port 6053 or as announced, to see whether it talks without encryption, and asks for its web page; logs in nowhere.",
	Touch: prober.Read,
	Gives: []string{
		fact.ControlEncrypted.Name(), fact.DeviceFirmware.Name(), fact.DeviceFirmwareDate.Name(), fact.DeviceProduct.Name(),
		fact.HTTPControlsOpen.Name(),
	},
	Every:   12 * time.Hour,
	Signs:   signs,
	Applies: signs.On,
	Run:     answer.Run(run),
}

var signs = &prober.Signs{Products: []string{"esphome"}, Service: "_esphomelib._tcp", Script: espPage}

func run(ctx context.Context, t *prober.Target, e *fact.Evidence) {
	port := prober.AnnouncedPort(t.Device(), "_esphomelib._tcp", 6053)
	h, err := greetESPHome(ctx, t, port)
	if err == nil {
		h.setFacts(e, fmt.Sprintf("tcp/%d: ", port), t.Now())
	} else {
		answer.Unknown(e, prober.WhyOf(err), []string{
			fact.ControlEncrypted.Name(), fact.DeviceFirmware.Name(), fact.DeviceFirmwareDate.Name(), fact.DeviceProduct.Name(),
		})
	}
	port = prober.AnnouncedPort(t.Device(), "_http._tcp", 80)
	r, err := t.Get(ctx, port, "/")
	setESPHomePage(e, port, r, err)
}

// ESPHome's plaintext frames are a zero, the length of the message and its type,
// both as varints, and a message of Protocol Buffers; encrypted ones begin with 1
// (esphome.io, native API, protocol details). The types are those of api.proto.
const (
	plainFrame     = 0x00
	encryptedFrame = 0x01
	helloResponse  = 2
	maxHello       = 1024 // bytes
)

var (
	helloRequest      = []byte{plainFrame, 0, 1}
	disconnectRequest = []byte{plainFrame, 0, 5}
)

// espHello is how a device answers a plaintext greeting.
type espHello struct {
	noise   bool   // it wants encrypted frames
	version string // of the firmware; "" if it does not say
}

func greetESPHome(ctx context.Context, t *prober.Target, port uint16) (espHello, error) {
	c, err := t.Dial(ctx, port)
	if err != nil {
		return espHello{}, err
	}
	defer c.Close() //nolint:errcheck // nothing can be done about it
	if _, err := c.Write(helloRequest); err != nil {
		return espHello{}, err
	}
	h, err := readESPHello(c)
	if err == nil && !h.noise {
		_, _ = c.Write(disconnectRequest) // so that it frees one of its few places
	}
	return h, err
}

var errNotESPHome = errors.New("not a frame of ESPHome's API")

func readESPHello(from io.Reader) (espHello, error) {
	r := bufio.NewReader(io.LimitReader(from, maxHello+8))
	switch first, err := r.ReadByte(); {
	case err != nil:
		return espHello{}, err
	case first == encryptedFrame:
		var size [2]byte
		if _, err := io.ReadFull(r, size[:]); err != nil {
			return espHello{}, err
		}
		if binary.BigEndian.Uint16(size[:]) > maxHello {
			return espHello{}, errNotESPHome
		}
		return espHello{noise: true}, nil
	case first != plainFrame:
		return espHello{}, errNotESPHome
	}
	size, err := binary.ReadUvarint(r)
	if err != nil {
		return espHello{}, err
	}
	kind, err := binary.ReadUvarint(r)
	switch {
	case err != nil:
		return espHello{}, err
	case kind != helloResponse || size > maxHello:
		return espHello{}, errNotESPHome
	}
	message := make([]byte, size)
	if _, err := io.ReadFull(r, message); err != nil {
		return espHello{}, err
	}
	major, info, ok := readHelloResponse(message)
	if !ok || major == 0 {
		return espHello{}, errNotESPHome
	}
	var h espHello
	if m := espVersion.FindSubmatch(info); m != nil {
		h.version = string(m[1])
	}
	return h, nil
}

// espVersion finds the version in server_info: "kitchen (esphome v2023.5.5)".
var espVersion = regexp.MustCompile(`\(esphome v?(\d[\w.+-]{0,40})\)$`)

// readHelloResponse takes api_version_major, field 1, and server_info, field 3,
// out of the message. It is false for what is none of Protocol Buffers.
func readHelloResponse(b []byte) (major uint64, serverInfo []byte, ok bool) {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return 0, nil, false
		}
		b = b[n:]
		switch field, wire := tag>>3, tag&7; wire {
		case 0: // varint
			v, n := binary.Uvarint(b)
			if n <= 0 {
				return 0, nil, false
			}
			b = b[n:]
			if field == 1 {
				major = v
			}
		case 2: // length and bytes
			size, n := binary.Uvarint(b)
			if n <= 0 || size > uint64(len(b)-n) {
				return 0, nil, false
			}
			if field == 3 {
				serverInfo = b[n : n+int(size)]
			}
			b = b[n+int(size):]
		default: // fixed sizes and groups, which the message never had
			return 0, nil, false
		}
	}
	return major, serverInfo, true
}

func (h espHello) setFacts(e *fact.Evidence, at string, now time.Time) {
	proof := at + "00, HelloResponse"
	if h.noise {
		proof = at + "01"
	}
	fact.DeviceProduct.Set(e, "esphome", proof)
	if h.noise {
		// It speaks Noise. Whether it has a key it tells by multicast DNS only: with
		// none it takes one from whoever comes first.
		fact.ControlEncrypted.Unknown(e, fact.NotReported)
	} else {
		fact.ControlEncrypted.Set(e, false, proof)
	}
	answer.SetText(e, fact.DeviceFirmware, h.version, at+"esphome v"+h.version)
	fact.DeviceFirmwareDate.Unknown(e, fact.NotReported) // the card reads it from the version
}

// espPage marks ESPHome's own page: all versions of it have this element or load
// their script from there, unless the owner replaced both.
var espPage = regexp.MustCompile(`(?i)<esp-app|esphome\.io/|webserver-v1\.min`)

// setESPHomePage says whether the page with all switches of the device is open. A
// page that is kept on the device comes compressed, though nobody asked for it.
func setESPHomePage(e *fact.Evidence, port uint16, r *prober.Response, err error) {
	at := fmt.Sprintf("tcp/%d", port)
	switch {
	case errors.Is(err, prober.ErrClosed):
		fact.HTTPControlsOpen.Set(e, false, at+" refused")
	case err != nil:
		fact.HTTPControlsOpen.Unknown(e, prober.WhyOf(err))
	case r.Status == 401:
		fact.HTTPControlsOpen.Set(e, false, at+": 401")
	case r.Status == 200 && (espPage.Match(r.Body) || r.Header.Get("Content-Encoding") == "gzip"):
		fact.HTTPControlsOpen.Set(e, true, at+": 200, page of ESPHome")
	default:
		fact.HTTPControlsOpen.Unknown(e, fact.NotReported)
	}
}
