package hass

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
)

const (
	// echoDue is how long a message of ours may take to come back; a broker that is
	// busy takes seconds.
	echoDue = 30 * time.Second
	// sendAgainAfter is how long what did not come back waits to be sent again.
	sendAgainAfter = time.Minute
	// failuresReported is how many passes must fail in a row to be worth telling.
	failuresReported = 2
)

// delivery is what is known of whether the broker takes what we publish: what it
// takes comes back, as we subscribe to our own topics.
type delivery struct {
	failed  int             // passes in a row that failed while the broker was there
	largest int             // bytes of the largest message so far
	missing map[string]bool // topics of messages that have not come back in time
	problem string
}

// checkDelivery follows up a pass, and shows in health whether Home Assistant gets
// what we publish.
func (p *Publisher) checkDelivery(err error) {
	now := p.o.Now()
	switch {
	case errors.Is(err, errNotConnected), errors.Is(err, context.Canceled):
		return
	case err != nil:
		p.delivery.failed++
	case p.read:
		p.delivery.failed = 0
	}
	lost, first := p.lostMessages(now)
	fought := p.fought(now)
	_, reading := errors.AsType[readError](err)
	problem := ""
	switch {
	case p.delivery.failed >= failuresReported && reading:
		problem = fmt.Sprintf("The MQTT broker does not let Thingwarden read its own topics, so nothing is published (%v). Allow its user to read and write %q and %q in the broker's access rules.",
			err, p.n.root()+"/#", p.o.Prefix+"/device/+/config")
	case p.delivery.failed >= failuresReported:
		problem = fmt.Sprintf("Publishing to the MQTT broker failed %d times in a row (%v). The largest message has %d bytes; the broker may not allow that (message_size_limit).",
			p.delivery.failed, err, p.delivery.largest)
	case fought > 0:
		problem = fmt.Sprintf("Somebody else writes to Thingwarden's topics on the MQTT broker again and again: to %d of them below %q. If that is another Thingwarden, stop one of the two or give each a site of its own (site in the configuration).", fought, p.n.root())
	case lost > 0:
		problem = fmt.Sprintf("The MQTT broker does not pass on what Thingwarden publishes: %d messages did not come back, the first on %q. Look at the broker's access rules (ACL) and its message_size_limit.", lost, first)
	case now.Before(p.wiped.until):
		problem = "Somebody clears Thingwarden's topics on the MQTT broker. They were published again; find out which program does that, and change the broker's passwords if you know none."
	}
	p.reportDelivery(problem)
}

func (p *Publisher) reportDelivery(problem string) {
	if problem == p.delivery.problem {
		return
	}
	p.delivery.problem = problem
	if problem == "" {
		p.o.Health(discovery.OK, "")
		p.o.Log.Info("what is published arrives again")
		return
	}
	p.o.Health(discovery.Degraded, problem)
	p.o.Log.Warn("what is published may not arrive", "problem", problem)
}

// lostMessages counts the messages of ours that should have come back and have not,
// and sees to it that they are sent again in time.
func (p *Publisher) lostMessages(now time.Time) (lost int, first string) {
	for topic := range p.delivery.missing {
		if h, held := p.mirror.topics[topic]; len(p.mirror.sent[topic]) == 0 && (!held || h.sum != sum{}) {
			delete(p.delivery.missing, topic) // it is back, or nobody wants it any more
		}
	}
	for topic, sent := range p.mirror.sent {
		if len(sent) == 0 {
			continue
		}
		switch age := now.Sub(sent[0].at); {
		case age < echoDue:
			p.due(sent[0].at.Add(echoDue))
			continue
		case age < sendAgainAfter:
			p.due(sent[0].at.Add(sendAgainAfter))
		default:
			delete(p.mirror.sent, topic)
			if _, held := p.mirror.topics[topic]; held {
				p.mirror.failed(topic)
			}
			p.due(now)
		}
		if p.delivery.missing == nil {
			p.delivery.missing = map[string]bool{}
		}
		p.delivery.missing[topic] = true
	}
	for topic := range p.delivery.missing {
		if first == "" || topic < first {
			first = topic
		}
	}
	return len(p.delivery.missing), first
}

func (p *Publisher) publish(ctx context.Context, ms ...discovery.Message) error {
	for _, m := range ms {
		p.delivery.largest = max(p.delivery.largest, len(m.Payload))
	}
	return p.await(func() error { return p.session.Publish(ctx, ms...) })
}
