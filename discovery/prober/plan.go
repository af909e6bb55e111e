package prober

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Pending returns the words that probes will, or may not, learn of a device and
// have not looked for yet, each unknown with the reason.
func (p *Prober) Pending(d discovery.Device, ev *fact.Evidence) *fact.Evidence {
	p.mu.Lock()
	defer p.mu.Unlock()
	allowed := p.allowed(d)
	if p.fragile[d.ID] || p.never(d, ev) {
		allowed = Read // the owner's level would allow it; we do not want to
	}
	out := Applicable(p.probes(), d, ev, allowed)
	p.notSearched(d, ev, out)
	return out
}

// Applicable returns the words of the probes that apply to a device and have
// not finished with it, each unknown: TouchLevel if its probe needs more than is
// allowed, else NotProbed.
func Applicable(probes []*Probe, d discovery.Device, ev *fact.Evidence, allowed Touch) *fact.Evidence {
	out := fact.New("prober", time.Time{})
	for _, probe := range probes {
		if ev.Finished(probe.Name) || !applies(probe, d, ev) {
			continue
		}
		why := fact.NotProbed
		if probe.Touch > allowed {
			why = fact.TouchLevel
		}
		for _, word := range probe.Gives {
			if _, had := out.Entry(word); !had || why == fact.NotProbed {
				out.Put(fact.Entry{Name: word, By: probe.Name, Why: why})
			}
		}
	}
	return out
}

func (p *Prober) replan() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.subjects {
		if p.opt.Now().Sub(s.ended) > keepResults {
			clear(s.results)
		}
		p.plan(s)
	}
}

// plan finds out when the device is to be asked next.
func (p *Prober) plan(s *subject) {
	s.next = time.Time{}
	if !p.mayProbe(s) {
		return
	}
	for _, probe := range p.wanted(s.device, s.evidence) {
		due, ok := s.due[probe.Name]
		if !ok {
			if !s.forced {
				due = p.firstDue(s, probe)
			}
			s.due[probe.Name] = due
		}
		if p.needChanged(s, probe) && !due.IsZero() {
			// At the least a while after it ran.
			due = due.Add(changeGap - interval(probe, s.device.ID))
			s.due[probe.Name] = due
			delete(s.regular, probe.Name)
		} else if p.addressesChanged(s, probe) && !due.IsZero() {
			s.regular[probe.Name] = due
			if due = s.ended.Add(changeGap); due.After(s.regular[probe.Name]) {
				due = s.regular[probe.Name]
			}
			s.due[probe.Name] = due
		}
		if s.next.IsZero() || due.Before(s.next) {
			s.next = due
		}
		if due.IsZero() {
			s.next = p.opt.Now()
			return
		}
	}
}

// keepResults is how long what was learned at single addresses is kept, so that of a
// device that gets another address only that one is asked: IPv6 addresses show
// themselves some time after the first.
const keepResults = time.Hour

// changeGap is the least time between two looks of a probe whose needs change.
const changeGap = time.Minute

// where returns, as one text, where a probe asks: the values of the words that it
// needs, and the addresses of the device if these tell it which to ask; empty if one
// of these is not known.
func (p *Prober) where(s *subject, probe *Probe) string {
	var values []string
	for _, word := range probe.Needs {
		n, ok := s.evidence.Entry(word)
		if !ok || !n.Known() {
			return ""
		}
		values = append(values, fmt.Sprintf("%q", n.Value))
	}
	for _, word := range probe.Follows {
		n, _ := s.evidence.Entry(word)
		values = append(values, fmt.Sprint(n.Value))
	}
	if !probe.Located {
		return fmt.Sprint("values", values) // addressesChanged tells of addresses
	}
	return fmt.Sprint(Addresses(s.device, p.opt.Networks()), values)
}

// addressesChanged reports, once, that the device has other addresses than when a
// probe ran.
func (p *Prober) addressesChanged(s *subject, probe *Probe) bool {
	before, ran := s.at[probe.Name]
	if _, told := s.regular[probe.Name]; !ran || told || probe.Located {
		return false
	}
	return !slices.Equal(before, Addresses(s.device, p.opt.Networks()))
}

// needChanged reports, once, that a probe that ran has to ask elsewhere now.
func (p *Prober) needChanged(s *subject, probe *Probe) bool {
	before, now := s.needed[probe.Name], p.where(s, probe)
	if before == "" || now == "" || now == before {
		return false
	}
	delete(s.needed, probe.Name)
	return true
}

// mayProbe reports whether the device may be asked anything at all, as it is now.
func (p *Prober) mayProbe(s *subject) bool {
	if p.fragile[s.device.ID] || p.never(s.device, s.evidence) || s.away && !s.forced {
		return false
	}
	_, ok := FirstAddress(s.device, p.opt.Networks())
	return ok
}

// wanted returns the probes that apply to a device and are allowed.
func (p *Prober) wanted(d discovery.Device, ev *fact.Evidence) []*Probe {
	allowed := p.allowed(d)
	return slices.DeleteFunc(p.probes(), func(probe *Probe) bool {
		return probe.Touch > allowed || !applies(probe, d, ev)
	})
}

// probes returns all probes but those that tell third parties something and
// that the owner did not switch on.
func (p *Prober) probes() []*Probe {
	return slices.DeleteFunc(slices.Clone(p.opt.Probes), func(probe *Probe) bool {
		return probe.Outside && !p.opt.Outside[probe.Name]
	})
}

// allowed returns the highest touch for a device.
func (p *Prober) allowed(d discovery.Device) Touch {
	if p.opt.PerDevice == 0 || p.opt.PerHouse == 0 {
		return Listen
	}
	if p.opt.DeviceTouch != nil {
		if t, ok := p.opt.DeviceTouch(d); ok {
			return t
		}
	}
	return p.opt.Touch
}

// never reports whether a device is only listened to, whatever is allowed.
func (p *Prober) never(d discovery.Device, ev *fact.Evidence) bool {
	class, _ := fact.DeviceClass.Get(ev)
	return class == "medical" || class == "alarm" || p.opt.NeverProbe != nil && p.opt.NeverProbe(d, ev)
}

// applies asks a probe whether it applies.
func applies(probe *Probe, d discovery.Device, ev *fact.Evidence) bool {
	return safelyApplies(probe.Applies, d, ev)
}

// safelyApplies asks a plug-in whether it applies; one that panics does not.
func safelyApplies(f func(discovery.Device, *fact.Evidence) bool, d discovery.Device, ev *fact.Evidence) (yes bool) {
	defer func() {
		if recover() != nil {
			yes = false
		}
	}()
	return f(d, ev)
}

// firstDue returns when a probe is due that has not run since we started: at
// once, unless evidence from before the start tells that it is too early.
func (p *Prober) firstDue(s *subject, probe *Probe) time.Time {
	if !s.evidence.Finished(probe.Name) {
		return time.Time{}
	}
	var last time.Time
	for _, e := range s.evidence.Entries() {
		if e.By == probe.Name && e.At.After(last) && !e.At.After(p.opt.Now()) {
			last = e.At
		}
	}
	if last.IsZero() {
		return time.Time{}
	}
	return last.Add(interval(probe, s.device.ID))
}

// interval is the time between two looks: a little more than Every, by an
// amount that depends on the device, so that a house is not asked all at once.
func interval(probe *Probe, id discovery.ID) time.Duration {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	every := max(probe.Every, time.Minute)
	return every + time.Duration(h.Sum64()%uint64(every/8))
}
