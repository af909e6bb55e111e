// Package xiaomi asks devices of Xiaomi's platform what only they answer. What else is
// known of them stands on card.yaml beside it.
package xiaomi

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe sends the miIO hello, in answer to which a device that nobody has bound to an
// account shows the key to its control; the key is dropped at once
// (rytilahti/python-miio miio/miioprotocol.py and docs/discovery.rst).
var Probe = &prober.Probe{
	Name:    "xiaomi",
	Doc:     "Sends the miIO hello to a device that shows itself as one of Xiaomi, UDP port 54321, to see whether it shows the key to its control, which is dropped at once; uses no key.",
	Touch:   prober.Read,
	Gives:   words,
	Every:   12 * time.Hour,
	Signs:   signs,
	Applies: signs.On,
	Run:     answer.Run(run),
}

var words = []string{fact.ControlOpen.Name(), fact.ControlPasswordPossible.Name()}

var signs = &prober.Signs{
	Products: []string{
		"xiaomi", "xiaomi-camera", "xiaomi-gateway", "xiaomi-plug", "xiaomi-purifier", "xiaomi-vacuum", "roborock", "dreame", "yeelight",
	},
	Service: "_miio._udp",
}

const (
	port      = 54321
	helloSize = 32
	keySize   = 16 // at the end of an answer
)

var hello = append([]byte{0x21, 0x31, 0, helloSize}, bytes.Repeat([]byte{0xff}, helloSize-4)...)

func run(ctx context.Context, t *prober.Target, e *fact.Evidence) {
	b, err := t.Exchange(ctx, port, hello)
	if err == nil {
		err = setFacts(e, b)
	}
	if err != nil {
		fact.ControlOpen.Unknown(e, prober.WhyOf(err))
		fact.ControlPasswordPossible.Unknown(e, prober.WhyOf(err))
	}
}

// setFacts reads the answer: where no key is shown there are zeros or FF.
func setFacts(e *fact.Evidence, b []byte) error {
	if len(b) != helloSize || !bytes.HasPrefix(b, hello[:4]) {
		return fmt.Errorf("no miIO hello: %w", prober.ErrUnreadable)
	}
	key := b[helloSize-keySize:]
	hidden := bytes.Count(key, []byte{0}) == keySize || bytes.Count(key, []byte{0xff}) == keySize
	at := fmt.Sprintf("udp/%d hello: ", port)
	fact.ControlPasswordPossible.Set(e, true, at+"answered")
	if hidden {
		// Some, such as lamps of Yeelight, obey another protocol as well.
		fact.ControlOpen.SetLikely(e, false, at+"no key shown")
	} else {
		fact.ControlOpen.SetLikely(e, true, at+"key shown")
	}
	return nil
}
