// Package mqtt looks for message brokers that let anyone connect (OASIS MQTT 3.1.1).
package mqtt

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe looks for a message broker that lets anyone connect.
var Probe = &prober.Probe{
	Name:  "mqtt",
	Doc:   "Asks TCP port 1883, and one announced by multicast DNS, whether an MQTT broker lets a client without a password connect; subscribes to nothing and publishes nothing.",
	Touch: prober.Read,
	Gives: []string{fact.MQTTAnonymous.Name(), fact.MQTTOpen.Name()},
	Every: 12 * time.Hour,
	Applies: func(d discovery.Device, ev *fact.Evidence) bool {
		// The hub's own broker is meant to be reached by the hub.
		class, _ := fact.DeviceClass.Get(ev)
		return d.ID != discovery.Hub && prober.Reachable(d, ev) && !slices.Contains(noBroker, class)
	},
	Run: run,
}

// noBroker are classes of devices that run no broker.
var noBroker = []string{"car", "console", "phone", "printer", "remote", "tablet"}

var (
	// connectPacket is CONNECT of MQTT 3.1.1 with a clean session, a keep-alive
	// of 10 seconds, the client identifier "thingwarden" and no user name (OASIS
	// MQTT 3.1.1 section 3.1).
	connectPacket = []byte("\x10\x17\x00\x04MQTT\x04\x02\x00\x0a\x00\x0bthingwarden")
	// disconnectPacket is DISCONNECT (section 3.14).
	disconnectPacket = []byte{0xe0, 0x00}
)

func run(ctx context.Context, t *prober.Target, report func(discovery.Observation)) error {
	o := discovery.Observation{About: t.About(), Facts: t.Evidence()}
	var b brokers
	list := []uint16{1883}
	if p := prober.AnnouncedPort(t.Device(), "_mqtt._tcp", 1883); p != 1883 {
		list = append(list, p)
	}
	var err error
	if o.Services, err = b.Services(ctx, "mqtt", list, func(port uint16) bool {
		reply, err := connectMQTT(ctx, t, port)
		return b.add(port, reply, err)
	}); err != nil {
		return err
	}
	b.setFacts(o.Facts)
	report(o)
	return nil
}

// connectMQTT asks to be let in and returns the first four bytes of the answer.
func connectMQTT(ctx context.Context, t *prober.Target, port uint16) ([]byte, error) {
	c, err := t.Dial(ctx, port)
	if err != nil {
		return nil, err
	}
	defer c.Close() //nolint:errcheck // nothing can be done about it
	if _, err := c.Write(connectPacket); err != nil {
		return nil, err
	}
	reply := make([]byte, 4)
	n, err := io.ReadFull(c, reply)
	if n > 0 && reply[0] != connack {
		return reply[:n], nil // surely no broker
	}
	if err != nil {
		return nil, err
	}
	if readConnack(reply) == accepted {
		_, _ = c.Write(disconnectPacket) // so that the broker logs no lost client
	}
	return reply, nil
}

// connack is the first byte of CONNACK (section 3.2), which a broker sends before
// anything else.
const connack = 0x20

// broker is what the answer to CONNECT shows.
type broker int

const (
	noBrokerThere broker = iota
	accepted             // anyone may connect
	refused              // without a password nobody may
	unclearBroker        // refused for another reason
)

func readConnack(b []byte) broker {
	switch {
	case len(b) == 0 || b[0] != connack:
		return noBrokerThere
	case len(b) < 4 || b[1] != 2 || b[2]&^1 != 0:
		return unclearBroker
	case b[3] == 0:
		return accepted
	case b[3] == 4, b[3] == 5: // bad user name or password; not authorised
		return refused
	default:
		return unclearBroker
	}
}

// brokers is what all ports answered.
type brokers struct {
	answer.Ports
	anonymous string // proof of one that lets anyone in
	unclear   bool   // a broker that said neither
}

// add takes in what a port answered and reports whether it is a broker.
func (b *brokers) add(port uint16, reply []byte, err error) bool {
	proof, kind := fmt.Sprintf("tcp/%d: CONNACK %x", port, reply), readConnack(reply)
	if kind == noBrokerThere {
		proof = fmt.Sprintf("tcp/%d: %x, no CONNACK", port, reply)
	}
	if !b.Answered(port, proof, kind != noBrokerThere, err) {
		return false
	}
	switch kind {
	case accepted:
		b.anonymous = proof
	case unclearBroker:
		b.unclear = true
	}
	return true
}

func (b *brokers) setFacts(e *fact.Evidence) {
	b.SetOpen(e, fact.MQTTOpen)
	if b.anonymous != "" {
		fact.MQTTAnonymous.Set(e, true, b.anonymous)
		return
	}
	b.SetClosed(e, fact.MQTTAnonymous, b.unclear)
}
