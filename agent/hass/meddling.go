package hass

import (
	"context"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
)

const (
	meddlingFirst   = time.Second
	meddlingLast    = 10 * time.Second
	meddlingForgive = time.Hour
	// After foughtTimes in foughtWithin on one topic it is told in health: another
	// agent of the same site goes on and on.
	foughtTimes  = 3
	foughtWithin = 5 * time.Minute
)

// meddling is somebody else writing to one of our topics. It is repaired at once
// the first time and more slowly after that: two publishers that repair each
// other would never end.
type meddling struct {
	times int
	last  time.Time
	after time.Time // not repaired before
}

// meddled notes that somebody else wrote to a topic of ours.
func (p *Publisher) meddled(topic string) {
	now := p.o.Now()
	w := p.foreign[topic]
	if w == nil {
		if len(p.foreign) >= maxTopics {
			return
		}
		w = &meddling{}
		p.foreign[topic] = w
	}
	if now.Sub(w.last) > meddlingForgive {
		w.times = 0
	}
	w.last = now
	if now.Before(w.after) {
		return // a repair is due already; who writes on and on must not put it off
	}
	w.times++
	w.after = now
	if w.times > 1 {
		w.after = now.Add(min(meddlingFirst<<min(w.times-2, 20), meddlingLast))
	}
}

// waits reports whether a topic is left alone for now, and sees to it that it is
// looked at again.
func (p *Publisher) waits(topic string) bool {
	w := p.foreign[topic]
	if w == nil || !p.o.Now().Before(w.after) {
		return false
	}
	p.due(w.after)
	return true
}

// publishOnline contradicts somebody who said that we are not there.
func (p *Publisher) publishOnline(ctx context.Context) error {
	topic := StatusTopic(p.n.site)
	wanted := p.offline && !p.waits(topic)
	if wanted {
		p.offline = false
	}
	if !wanted {
		return nil
	}
	return p.publish(ctx, discovery.Message{Topic: topic, Payload: []byte(Online), Retained: true})
}

// fought counts the topics of ours that somebody else writes to again and again, and
// sees to it that the end of that is noticed.
func (p *Publisher) fought(now time.Time) (n int) {
	for _, w := range p.foreign {
		if w.times >= foughtTimes && now.Sub(w.last) < foughtWithin {
			n++
			p.due(w.last.Add(foughtWithin))
		}
	}
	return n
}

// logMeddling logs that others write to our topics, at most once a minute.
func (p *Publisher) logMeddling() {
	now := p.o.Now()
	var fresh []string
	for topic, w := range p.foreign {
		switch {
		case now.Sub(w.last) > meddlingForgive:
			delete(p.foreign, topic)
		case w.last.After(p.warnedAt):
			fresh = append(fresh, topic)
		}
	}
	if len(fresh) > 0 && now.Sub(p.warnedAt) > time.Minute {
		p.warnedAt = now
		p.o.Log.Warn("somebody else writes to Thingwarden's topics on the MQTT broker; they are repaired",
			"topics", len(fresh), "first", slices.Min(fresh))
	}
}
