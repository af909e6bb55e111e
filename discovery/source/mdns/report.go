package mdns

import (
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/delta"
)

// maxSiblings bounds the addresses of one machine that are treated as siblings.
const maxSiblings = 8

// reported is what was last reported of a host.
type reported struct {
	delta.Reported
	hosts    []string // names of the host
	finished bool
}

// reportChange reports a host if what is known about it has changed, and now and
// then that it is still there.
func (b *browser) reportChange(h *host, now time.Time) {
	if h.active = h.active || len(h.records) > 0; h.active && len(h.records) == 0 && h.matter.IsZero() {
		b.withdraw(h, now)
		h.active = false
	}
	if h.gone {
		return
	}
	v := h.view(now, b.env.Now())
	h.foreign = v.foreign
	h.wakeUnlessZero(v.again)
	o := discovery.Observation{
		About: h.about(), Name: v.name, Services: v.services, Facts: v.facts,
		Quiet: now.Sub(h.last) > 2*time.Second,
	}
	next := reported{delta.Of(o, now), v.hosts, v.facts.Finished(name)}
	next.About = nil // is always the same
	switch {
	case h.force || h.reportedAt.IsZero() || now.Sub(h.reportedAt) >= repeatEvery || !next.same(h.reported):
	case now.Sub(h.reportedAt) >= presentEvery && now.Sub(h.last) < time.Second:
		h.reportedAt = now
		b.report(discovery.Observation{About: h.about()})
		return
	default:
		return
	}
	lost := h.reported.Retract(&o)
	if h.hub() {
		o.Name = "" // it has one
	}
	shrank := lost || len(next.Services) < len(h.reported.Services)
	h.reported, h.reportedAt, h.force = next, now, false
	b.report(o)
	if shrank {
		b.repeatSiblings(h, now)
	}
}

// about names the sender; empty for the hub.
func (h *host) about() []discovery.Identifier {
	if h.hub() {
		return nil
	}
	return []discovery.Identifier{discovery.IP(h.sender())}
}

func (r reported) same(old reported) bool {
	return r.finished == old.finished && slices.Equal(r.hosts, old.hosts) && r.Same(old.Reported)
}

// withdraw retracts everything that was reported of a host. If the same machine
// still speaks from another address, facts and services are retracted one by one,
// and those of that address reported again: to the inventory both are one device.
func (b *browser) withdraw(h *host, now time.Time) {
	if h.gone || h.reportedAt.IsZero() {
		return
	}
	h.gone = true
	if h.hub() || len(b.siblings(h)) > 0 {
		b.retract(h, fact.NotReported, now)
		return
	}
	h.reported = reported{}
	b.report(discovery.Observation{About: h.about(), Gone: true, Quiet: true})
}

// retract makes the facts that were reported of a host unknown. Its services stay
// if the hub is no longer connected to it.
func (b *browser) retract(h *host, why fact.Why, now time.Time) {
	if len(h.reported.Facts) == 0 {
		return
	}
	o := discovery.Observation{About: h.about(), Facts: fact.New(name, b.env.Now()), Quiet: true}
	for _, n := range h.reported.Facts {
		o.Facts.MarkUnknown(n.Name, why)
	}
	if why != fact.SourceDown && h.reported.Services != nil {
		o.Services = []discovery.Service{}
	}
	b.report(o)
	b.repeatSiblings(h, now)
	h.reported = reported{}
}

func (b *browser) repeatSiblings(h *host, now time.Time) {
	for _, o := range b.siblings(h) {
		o.force = true
		o.wake(now)
		b.wake = earliest(b.wake, o.due)
	}
}

// siblings are other addresses on the same interface that use the same host name,
// at most maxSiblings, since a hostile host can make up many.
func (b *browser) siblings(h *host) (out []*host) {
	for _, o := range b.hosts {
		if len(out) == maxSiblings {
			break
		}
		if o != h && o.link.index == h.link.index && slices.ContainsFunc(o.reported.hosts, func(n string) bool { return slices.Contains(h.reported.hosts, n) }) {
			out = append(out, o)
		}
	}
	return out
}
