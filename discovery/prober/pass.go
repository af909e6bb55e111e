package prober

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// pass is one round of the probes that are due with one device. It works on
// copies: nothing in it is shared with the Prober until finish.
type pass struct {
	prober   *Prober
	device   discovery.Device
	evidence *fact.Evidence // grows by what the probes of this pass learn
	due      map[string]bool
	needed   map[string]string // by probe, when the pass began
	allowed  []*Probe
	target   *Target // nil if the device has no address any more
	ran      []string
	cut      []string          // probes that met the limit of silent ports
	problems map[string]string // by probe that ran; "" if it did well
}

// newPass is called with the lock held.
func (p *Prober) newPass(s *subject) *pass {
	w := &pass{prober: p, device: s.device, evidence: s.evidence.Clone(), due: map[string]bool{}, needed: map[string]string{}, problems: map[string]string{}}
	now, allowed := p.opt.Now(), p.allowed(s.device)
	for _, probe := range p.probes() {
		if probe.Touch > allowed {
			continue
		}
		w.allowed = append(w.allowed, probe)
		w.needed[probe.Name] = needed(probe, s.evidence)
		due, ok := s.due[probe.Name]
		if !ok {
			due = p.firstDue(s, probe)
		}
		w.due[probe.Name] = s.forced || due.Before(now.Add(together))
	}
	if addr, ok := Askable(s.device, p.opt.Networks()); ok {
		t := &Target{
			device: s.device, addr: addr, dial: p.opt.Dial, dialUDP: p.opt.DialUDP, known: w.evidence, networks: p.opt.Networks,
			pace: s.pace, house: p.house, now: p.opt.Now, sent: p.opt.Sent, log: p.opt.Log,
		}
		w.target = t.init(s.silent)
	}
	if !s.struck {
		s.strikes = 0 // the last pass did it no harm
	}
	s.forced, s.struck, s.asked = false, false, time.Time{}
	return w
}

// run runs the probes in their order, and again those that came to apply by
// what others learned.
func (w *pass) run(ctx context.Context) {
	if w.target == nil {
		return
	}
	for again := true; again; {
		again = false
		for _, probe := range w.allowed {
			if ctx.Err() != nil {
				return
			}
			if !w.due[probe.Name] || slices.Contains(w.ran, probe.Name) || !applies(probe, w.device, w.evidence) {
				continue
			}
			w.one(ctx, probe)
			again = true
		}
	}
}

// one runs one probe and reports that it has finished. A probe that fails or
// forgets a word leaves it unknown.
func (w *pass) one(ctx context.Context, probe *Probe) {
	limited, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	t := w.target
	t.begin(probe)
	before, told := t.connections+t.datagrams, fact.New(probe.Name, w.prober.opt.Now())
	err := w.safely(probe, func() error {
		return probe.Run(limited, t, func(o discovery.Observation) { w.report(probe, o, told) })
	})
	t.end()
	if ctx.Err() != nil {
		return // stopped, not finished
	}
	w.ran = append(w.ran, probe.Name)
	w.problems[probe.Name] = ""
	if err != nil {
		w.problems[probe.Name] = fact.Clean(err.Error(), fact.MaxText)
	}
	if t.cut {
		w.cut = append(w.cut, probe.Name)
		t.cut = false
	}
	if t.connections+t.datagrams > before {
		w.prober.noteAsked(w.device.ID)
	}
	rest := t.Evidence()
	for _, word := range probe.Gives {
		if _, ok := told.Entry(word); !ok {
			rest.MarkUnknown(word, fact.Unreadable)
		}
	}
	rest.Finish(probe.Name)
	w.report(probe, discovery.Observation{About: t.About(), Facts: rest}, told)
}

// report passes an observation on, with a copy of its facts: the probe may go
// on writing in its own.
func (w *pass) report(probe *Probe, o discovery.Observation, told *fact.Evidence) {
	o.By, o.At, o.Facts = probe.Name, w.prober.opt.Now(), o.Facts.Clone()
	o.Quiet = o.Quiet || !w.target.answered
	if w.isOurs(o) {
		for _, e := range o.Facts.Entries() {
			told.Put(e)
			if old, _ := w.evidence.Entry(e.Name); e.Known() || !old.Known() {
				w.evidence.Put(e)
			}
		}
		for _, by := range o.Facts.FinishedBy() {
			w.evidence.Finish(by)
		}
	}
	w.prober.opt.Report(o)
}

// isOurs reports whether an observation is about the device of the pass.
func (w *pass) isOurs(o discovery.Observation) bool {
	if len(o.About) == 0 {
		return w.device.ID == discovery.Hub
	}
	return slices.ContainsFunc(w.target.About(), func(i discovery.Identifier) bool { return slices.Contains(o.About, i) })
}

// safely turns a panic into an error: a defect of one probe must not end the
// others.
func (w *pass) safely(probe *Probe, f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			w.prober.opt.Log.Error("probe panicked", "probe", probe.Name, "device", w.device.ID, "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return f()
}

// finish takes the result of a pass in and plans the next one.
func (p *Prober) finish(s *subject, w *pass, complete bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running--
	s.cancel()
	s.cancel = nil
	defer p.wakeUp()
	if p.subjects[s.device.ID] != s {
		return // removed meanwhile
	}
	now := p.opt.Now()
	for _, name := range w.ran {
		s.needed[name] = w.needed[name]
		if !s.forced {
			s.due[name] = now.Add(interval(p.probe(name), s.device.ID))
		}
		p.setHealth(name, s.device.ID, w.problems[name])
		if problem := w.problems[name]; problem != "" {
			p.opt.Log.Warn("probe failed", "probe", name, "device", s.device.ID, "error", problem)
		}
	}
	s.silent = nil
	if w.target != nil && len(w.cut) > 0 {
		s.silent = w.target.silentPorts()
		for _, name := range w.cut {
			if w.target.answered && !s.forced { // else it is all silence, and waiting for its turn is enough
				s.due[name] = now.Add(resume)
			}
		}
	}
	if complete && len(w.ran) > 0 {
		s.done, p.lastPass = true, now
	}
	p.plan(s)
}

func (p *Prober) probe(name string) *Probe {
	return p.opt.Probes[slices.IndexFunc(p.opt.Probes, func(x *Probe) bool { return x.Name == name })]
}
