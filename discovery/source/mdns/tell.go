package mdns

import (
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/delta"
)

// maxSiblings is as many addresses as a machine has in a home.
const maxSiblings = 8

// told is what was last reported of a host.
type told struct {
	delta.Told
	hosts    []string // names of the host
	finished bool
}

// tell reports a host if what can be said of it has changed, and now and then
// that it is still there.
func (b *browser) tell(h *host, now time.Time) {
	if h.spoke = h.spoke || len(h.records) > 0; h.spoke && len(h.records) == 0 && h.matter.IsZero() {
		b.withdraw(h, now)
		h.spoke = false
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
	next := told{delta.Of(o, now), v.hosts, v.facts.Finished(name)}
	next.About = nil // is always the same
	switch {
	case h.force || h.toldAt.IsZero() || now.Sub(h.toldAt) >= repeatEvery || !next.same(h.told):
	case now.Sub(h.toldAt) >= presentEvery && now.Sub(h.last) < time.Second:
		h.toldAt = now
		b.report(discovery.Observation{About: h.about()})
		return
	default:
		return
	}
	lost := h.told.TakeBack(&o)
	if h.hub() {
		o.Name = "" // it has one
	}
	shrank := lost || len(next.Services) < len(h.told.Services)
	h.told, h.toldAt, h.force = next, now, false
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

func (t told) same(old told) bool {
	return t.finished == old.finished && slices.Equal(t.hosts, old.hosts) && t.Same(old.Told)
}

// withdraw takes back everything that was said of a host. If the same machine
// still speaks from another address, words and services are taken back one by
// one, and that address's are said again: to the inventory both are one device.
func (b *browser) withdraw(h *host, now time.Time) {
	if h.gone || h.toldAt.IsZero() {
		return
	}
	h.gone = true
	if h.hub() || len(b.siblings(h)) > 0 {
		b.unsay(h, fact.NotTold, now)
		return
	}
	h.told = told{}
	b.report(discovery.Observation{About: h.about(), Gone: true, Quiet: true})
}

// unsay makes the words that were said of a host unknown. Its services stay if
// it is we who see it no more.
func (b *browser) unsay(h *host, why fact.Why, now time.Time) {
	if len(h.told.Words) == 0 {
		return
	}
	o := discovery.Observation{About: h.about(), Facts: fact.New(name, b.env.Now()), Quiet: true}
	for _, n := range h.told.Words {
		o.Facts.MarkUnknown(n.Name, why)
	}
	if why != fact.SourceDown && h.told.Services != nil {
		o.Services = []discovery.Service{}
	}
	b.report(o)
	b.repeatSiblings(h, now)
	h.told = told{}
}

func (b *browser) repeatSiblings(h *host, now time.Time) {
	for _, o := range b.siblings(h) {
		o.force = true
		o.wake(now)
		b.wake = earliest(b.wake, o.due)
	}
}

// siblings are other addresses on the same interface that go by the same name;
// not all of them where a hostile host makes up many.
func (b *browser) siblings(h *host) (out []*host) {
	for _, o := range b.hosts {
		if len(out) == maxSiblings {
			break
		}
		if o != h && o.link.index == h.link.index && slices.ContainsFunc(o.told.hosts, func(n string) bool { return slices.Contains(h.told.hosts, n) }) {
			out = append(out, o)
		}
	}
	return out
}
