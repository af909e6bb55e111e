package mdns

import (
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// maxSiblings is as many addresses as a machine has in a home.
const maxSiblings = 8

// told is what was last reported of a host.
type told struct {
	name     string
	services []discovery.Service
	words    []fact.Entry
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
	next := told{v.name, v.services, v.facts.Entries(), v.hosts, v.facts.Finished(name)}
	lost := next.lacks(h.told)
	for _, n := range lost {
		v.facts.MarkUnknown(n.Name, fact.NotTold)
	}
	switch {
	case h.force || h.toldAt.IsZero() || now.Sub(h.toldAt) >= repeatEvery || !next.same(h.told):
	case now.Sub(h.toldAt) >= presentEvery && now.Sub(h.last) < time.Second:
		h.toldAt = now
		b.report(discovery.Observation{About: h.about()})
		return
	default:
		return
	}
	o := discovery.Observation{
		About: h.about(), Name: v.name, Services: v.services, Facts: v.facts,
		Quiet: now.Sub(h.last) > 2*time.Second,
	}
	if o.Services == nil && h.told.services != nil {
		o.Services = []discovery.Service{}
	}
	if h.hub() {
		o.Name = "" // it has one
	}
	shrank := len(lost) > 0 || len(next.services) < len(h.told.services)
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

// lacks returns the words that were known and no longer are.
func (t told) lacks(old told) (lost []fact.Entry) {
	for _, n := range old.words {
		i, _ := slices.BinarySearchFunc(t.words, n.Name, func(e fact.Entry, name string) int { return strings.Compare(e.Name, name) })
		if i == len(t.words) || t.words[i].Name != n.Name {
			lost = append(lost, n)
		}
	}
	return lost
}

func (t told) same(old told) bool {
	return t.name == old.name && t.finished == old.finished && slices.Equal(t.services, old.services) &&
		slices.Equal(t.hosts, old.hosts) && slices.EqualFunc(t.words, old.words, func(a, b fact.Entry) bool {
		return a.Name == b.Name && a.Proof == b.Proof && fact.EqualValue(a.Value, b.Value)
	})
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
	if len(h.told.words) == 0 {
		return
	}
	o := discovery.Observation{About: h.about(), Facts: fact.New(name, b.env.Now()), Quiet: true}
	for _, n := range h.told.words {
		o.Facts.MarkUnknown(n.Name, why)
	}
	if why != fact.SourceDown && h.told.services != nil {
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
