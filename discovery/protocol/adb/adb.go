// Package adb looks for Android devices whose debug bridge obeys anyone
// (Android Open Source Project, packages/modules/adb/protocol.txt).
package adb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe greets the Android debug bridge and reads whether it wants a key. It never
// sends one, which would show a dialog on the screen, and opens no stream.
var Probe = &prober.Probe{
	Name:    "adb",
	Doc:     "Greets the Android debug bridge on TCP port 5555 of televisions, players, tablets and phones to see whether it wants a key; sends no key and runs nothing.",
	Touch:   prober.Read,
	Gives:   []string{fact.DebugOpen.Name()},
	Every:   12 * time.Hour,
	Applies: applies,
	Run:     answer.Run(run),
}

const (
	port       = 5555
	headerSize = 24
	maxBanner  = 4 << 10 // bytes
	version    = 0x01000000

	cnxn = 0x4e584e43
	auth = 0x48545541
	stls = 0x534c5453
)

var (
	classes = []string{"media", "phone", "tablet", "tv"} // what Android runs on
	service = "_adb._tcp"
)

func applies(d discovery.Device, ev *fact.Evidence) bool {
	class, _ := fact.DeviceClass.Get(ev)
	announced := slices.ContainsFunc(d.Services, func(s discovery.Service) bool { return s.Name == service })
	return prober.Reachable(d, ev) && (announced || slices.Contains(classes, class))
}

func run(ctx context.Context, t *prober.Target, e *fact.Evidence) {
	p := prober.AnnouncedPort(t.Device(), service, port)
	said, err := greet(ctx, t, p)
	at := fmt.Sprintf("tcp/%d: ", p)
	switch {
	case errors.Is(err, prober.ErrClosed):
		fact.DebugOpen.Set(e, false, fmt.Sprintf("tcp/%d refused", p))
	case err != nil:
		fact.DebugOpen.Unknown(e, prober.WhyOf(err))
	default:
		fact.DebugOpen.SetLikely(e, said == "CNXN", at+said)
	}
}

func greet(ctx context.Context, t *prober.Target, p uint16) (string, error) {
	c, err := t.Dial(ctx, p)
	if err != nil {
		return "", err
	}
	defer c.Close() //nolint:errcheck // nothing can be done about it
	if _, err := c.Write(message(cnxn, version, maxBanner, []byte("host::\x00"))); err != nil {
		return "", fmt.Errorf("%w: %w", prober.ErrUnreadable, err)
	}
	return readAnswer(c)
}

// message is a header of six numbers, and the data with its sum.
func message(command, arg0, arg1 uint32, data []byte) []byte {
	var sum uint32
	for _, b := range data {
		sum += uint32(b)
	}
	b := make([]byte, 0, headerSize+len(data))
	for _, n := range []uint32{command, arg0, arg1, uint32(len(data)), sum, ^command} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return append(b, data...)
}

// readAnswer returns the command of the answer: CNXN is a connection without a key,
// AUTH asks for one, STLS asks for encryption, in which the key comes.
func readAnswer(r io.Reader) (string, error) {
	var head [headerSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", fmt.Errorf("%w: %w", prober.ErrUnreadable, err)
	}
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(head[4*i:]) }
	command, size := word(0), word(3)
	if word(5) != ^command || size > maxBanner {
		return "", fmt.Errorf("no message of the debug bridge: %w", prober.ErrUnreadable)
	}
	switch command {
	case auth:
		return "AUTH", nil
	case stls:
		return "STLS", nil
	case cnxn:
	default:
		return "", fmt.Errorf("another message of the debug bridge: %w", prober.ErrUnreadable)
	}
	// Other programs use the port, too: the banner shows that this is Android.
	banner := make([]byte, size)
	if _, err := io.ReadFull(r, banner); err != nil {
		return "", fmt.Errorf("%w: %w", prober.ErrUnreadable, err)
	}
	if kind, _, ok := strings.Cut(string(banner), ":"); !ok || kind != "device" {
		return "", fmt.Errorf("no banner of a device: %w", prober.ErrUnreadable)
	}
	return "CNXN", nil
}
