// Package broadlink asks remotes, plugs and sensors of BroadLink what only they answer.
// What else is known of them stands on card.yaml beside it.
package broadlink

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe asks by BroadLink's search whether the device is locked: one that is not
// gives the key to its control to everyone who asks (mjg59/python-broadlink
// broadlink/device.py, scan, and protocol.md).
var Probe = &prober.Probe{
	Name:    "broadlink",
	Doc:     "Asks a device that shows itself as one of BroadLink by its maker's search, UDP port 80, whether it is locked; asks for no key and switches nothing.",
	Touch:   prober.Read,
	Gives:   words,
	Every:   12 * time.Hour,
	Signs:   signs,
	Applies: signs.On,
	Run:     answer.Run(run),
}

var words = []string{fact.ControlOpen.Name(), fact.ControlPasswordPossible.Name(), fact.DeviceManufacturer.Name(), fact.DeviceProduct.Name()}

var signs = &prober.Signs{Products: []string{"broadlink"}}

// Places in question and answer, in bytes.
const (
	port         = 80
	questionSize = 0x30
	answerSize   = 0x80
	atChecksum   = 0x20
	atCommand    = 0x26
	atLocked     = 0x7f
	search       = 6
	found        = 7
	checksumSeed = 0xbeaf
)

// question is the search without time and address: the answer comes to where the
// question came from.
func question() []byte {
	b := make([]byte, questionSize)
	b[atCommand] = search
	binary.LittleEndian.PutUint16(b[atChecksum:], checksum(b))
	return b
}

func checksum(b []byte) uint16 {
	sum := uint16(checksumSeed)
	for _, c := range b {
		sum += uint16(c)
	}
	return sum
}

func run(ctx context.Context, t *prober.Target, e *fact.Evidence) {
	b, err := t.Exchange(ctx, port, question())
	if err == nil {
		err = setFacts(e, b)
	}
	if err != nil {
		answer.Unknown(e, prober.WhyOf(err), words)
	}
}

func setFacts(e *fact.Evidence, b []byte) error {
	if len(b) != answerSize || b[atCommand] != found || b[atLocked] > 1 {
		return fmt.Errorf("no answer to a search: %w", prober.ErrUnreadable)
	}
	at := fmt.Sprintf("udp/%d search: ", port)
	fact.DeviceProduct.Set(e, "broadlink", at+"answered")
	fact.DeviceManufacturer.Set(e, "BroadLink", at+"answered")
	fact.ControlPasswordPossible.Set(e, true, at+"answered")
	fact.ControlOpen.Set(e, b[atLocked] == 0, fmt.Sprintf("%slocked=%d", at, b[atLocked]))
	return nil
}
