package prober

import (
	"context"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Touch is how far a question goes. The owner sets the highest allowed.
type Touch int

// The levels of touch, gentlest first.
const (
	Listen  Touch = iota // nothing is sent to the device
	Connect              // a connection is opened, or one discovery packet sent, and nothing asked
	Read                 // one read-only question without log-in
)

// String returns the level as the configuration spells it.
func (t Touch) String() string {
	switch t {
	case Listen:
		return "listen"
	case Connect:
		return "connect"
	case Read:
		return "read"
	default:
		return "unknown"
	}
}

// Probe asks one device. Probes are values in one sorted list, probe.All.
type Probe struct {
	Name string // also the By of its facts: "telnet"
	Doc  string // one sentence: what it asks, and what it never does
	// Touch is the highest level that the probe needs.
	Touch Touch
	// Outside means that a third party learns something: off until the owner
	// switches the service on.
	Outside bool
	// Gives are the words that the probe can set, sorted.
	Gives []string
	// Every is the time between two looks at a device.
	Every time.Duration
	// Needs are words whose value tells Run where to ask: another value makes the
	// probe due at once, but not more often than once a minute. May be nil.
	Needs []string
	// Follows are words that tell that there may be something new: a change makes the
	// probe due as one of Needs does, and it runs without them as well. May be nil.
	Follows []string
	// Located means that Run asks where a word says, by Target.At: it runs once for
	// the device. Other probes run at each of its addresses.
	Located bool
	// Signs are those of the product that the probe is for; nil if it is for a
	// protocol that many makers speak. Probes for protocols leave the front page of
	// that product to it: see Target.HasOwnProbe.
	Signs *Signs
	// Applies says whether asking makes sense. It is cheap and does no I/O.
	Applies func(d discovery.Device, ev *fact.Evidence) bool
	// Run asks. It sets each word of Gives to a value or to unknown with the
	// reason, in evidence made by Target.Evidence, and reports it. An error is a
	// defect or a broken context, not a device that does not answer.
	Run func(ctx context.Context, t *Target, report func(discovery.Observation)) error
}
