package hass

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// eventsFor is how long after it happened an event is still sent.
const eventsFor = 10 * time.Minute

// returnsWithin is how long events wait for a Home Assistant that said that it
// ends: its restart takes a minute or two.
const returnsWithin = 5 * time.Minute

// newEvent is the template of our event entities: Home Assistant ignores an empty
// result, and with it an event that the entity has had already. We send at least
// once, and again when we cannot know that it listened; an automation must run
// once. The number is counted anew when our state was lost, the time is not.
const newEvent = "{% set seq, at = state_attr(entity_id, 'seq') or 0, state_attr(entity_id, 'at') or '' %}" +
	"{{ value if value_json.seq > seq or value_json.at > at }}"

// maxNames is how many devices of a summary are named; all are counted.
const maxNames = 20

type event struct {
	Type       string `json:"event_type"`
	Seq        uint64 `json:"seq"`
	At         string `json:"at"`
	Site       string `json:"site"`
	Device     string `json:"device"`
	DeviceName string `json:"device_name,omitempty"`
	Count      int    `json:"count,omitempty"`
	// PrivateAddress, Gathered and Names are as report.Event explains.
	PrivateAddress bool     `json:"private_address,omitempty"`
	Gathered       bool     `json:"gathered,omitempty"`
	Names          []string `json:"device_names,omitempty"`
	Policy         string   `json:"policy,omitempty"`
	Title          string   `json:"title,omitempty"`
	Severity       string   `json:"severity,omitempty"`
	Confidence     string   `json:"confidence,omitempty"`
	Evidence       string   `json:"evidence,omitempty"`
	Remedy         string   `json:"remedy,omitempty"`
}

// eventMessage is what an event entity of Home Assistant gets.
func (n names) eventMessage(s *report.Snapshot, e report.Event) message {
	out := event{
		Type: fact.Clean(e.Type, maxInfo), Seq: e.Seq, At: stamp(e.At), Site: n.site, Device: string(e.Device), Count: e.Count,
		Policy: cut(fact.Clean(e.Policy, maxInfo), maxInfo), PrivateAddress: e.PrivateAddress, Gathered: e.Gathered,
	}
	for _, id := range e.Devices[:min(len(e.Devices), maxNames)] {
		if d := s.Device(id); d != nil {
			out.Names = append(out.Names, name(d.Title, maxName))
		}
	}
	d := s.Device(e.Device)
	if d != nil {
		out.DeviceName = name(d.Title, maxName)
		if d.ID == discovery.Hub {
			out.DeviceName = n.hubName()
		}
	}
	if e.Policy == "" {
		return newMessage(n.event(deviceEvents), encode(out))
	}
	if d != nil {
		for _, f := range d.Findings {
			if f.Policy != nil && f.Policy.ID == e.Policy {
				a := attributes(f, 2)
				out.Title, out.Severity, out.Confidence = title(f.Policy), a.Severity, a.Confidence
				out.Evidence, out.Remedy = a.Evidence, a.Remedy
			}
		}
	}
	return newMessage(n.event(findingEvents), encode(out))
}

// sendEvents sends the events that have not been acknowledged yet, in order,
// and leaves out those that are too old to be news.
func (p *Publisher) sendEvents(ctx context.Context, s *report.Snapshot) error {
	last := p.lastEvent()
	if k := len(s.Events); k > 0 && s.Events[k-1].Seq < last {
		last = 0 // they are counted anew: the state was lost
	}
	for _, e := range s.Events {
		if e.Seq <= last {
			continue
		}
		known := slices.Contains(report.DeviceEvents(), e.Type)
		if (known || e.Policy != "") && p.o.Now().Sub(e.At) <= eventsFor {
			if !p.listens() {
				return nil
			}
			m := p.n.eventMessage(s, e)
			if err := p.publish(ctx, discovery.Message{Topic: m.topic, Payload: m.payload}); err != nil {
				return fmt.Errorf("sending event %d: %w", e.Seq, err)
			}
		}
		p.event = e.Seq
	}
	return nil
}

// lastEvent is the last event that is done with.
func (p *Publisher) lastEvent() uint64 {
	if p.again {
		p.event, p.again = min(p.event, p.lastSeen), false
	}
	return p.event
}

// listens reports whether Home Assistant listens to events now, which are not
// retained; if not, it sees to it that they are tried again.
func (p *Publisher) listens() bool {
	until := p.deaf
	if !p.away.IsZero() {
		until = p.away.Add(returnsWithin)
	}
	if !p.o.Now().Before(until) {
		return true
	}
	p.due(until)
	return false
}
