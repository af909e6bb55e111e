package prober

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
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
	targets  []*Target           // one for each address; none if the device has no address any more
	answered map[netip.Addr]bool // addresses that have answered, now or before
	ran      []string
	cut      []string          // probes that met the limit of silent ports
	problems map[string]string // by probe that ran; "" if it did well
	held     []held
	at       []netip.Addr         // where the device is asked
	results  map[string][]result  // by probe: of the addresses that it need not ask again; then of all
	regular  map[string]time.Time // by probe that asks new addresses alone: when it asks all
}

// newPass is called with the lock held.
func (p *Prober) newPass(s *subject) *pass {
	w := &pass{prober: p, device: s.device, evidence: s.evidence.Clone(), due: map[string]bool{}, needed: map[string]string{}, problems: map[string]string{},
		results: map[string][]result{}, regular: map[string]time.Time{}}
	now, allowed := p.opt.Now(), p.allowed(s.device)
	for _, probe := range p.probes() {
		if probe.Touch > allowed {
			continue
		}
		w.allowed = append(w.allowed, probe)
		w.needed[probe.Name] = p.where(s, probe)
		due, ok := s.due[probe.Name]
		if !ok {
			due = p.firstDue(s, probe)
		}
		w.due[probe.Name] = s.forced || due.Before(now.Add(together))
	}
	w.answered = s.answered
	w.at = Addresses(s.device, p.opt.Networks())
	for _, addr := range w.at {
		w.add(addr, s)
	}
	w.spare(s, now)
	if s.forced {
		slices.SortStableFunc(w.allowed, func(a, b *Probe) int { return cmp.Compare(w.worst(b), w.worst(a)) })
	}
	if !s.struck {
		s.strikes = 0 // the last pass did it no harm
	}
	s.forced, s.struck, s.probed = false, false, time.Time{}
	return w
}

// add makes the Target of an address.
func (w *pass) add(addr netip.Addr, s *subject) *Target {
	p := w.prober
	t := &Target{
		device: w.device, addr: addr, dial: p.opt.Dial, dialUDP: p.opt.DialUDP, known: w.evidence, networks: p.opt.Networks,
		pace: s.pace, house: p.house, now: p.opt.Now, sent: p.opt.Sent, log: p.opt.Log, probes: p.opt.Probes, secondary: len(w.targets) > 0,
	}
	var silent []uint16
	if t.secondary {
		t.share = w.targets[0].share
	} else {
		silent = s.silent
	}
	t.sibling = func(a netip.Addr) (*Target, error) {
		if i := slices.IndexFunc(w.targets, func(o *Target) bool { return o.addr == a }); i >= 0 {
			o := w.targets[i]
			o.probe, o.touch = t.probe, t.touch
			return o, nil
		}
		if err := guardAddr(w.device, p.opt.Networks(), a); err != nil {
			return nil, err
		}
		o := w.add(a, s)
		o.probe, o.touch = t.probe, t.touch
		return o, nil
	}
	w.targets = append(w.targets, t.init(silent))
	return t
}

// run runs the probes in their order, and again those that came to apply by
// what others learned.
func (w *pass) run(ctx context.Context) {
	if len(w.targets) == 0 {
		return
	}
	defer w.reportHeld(ctx)
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

// one runs one probe, at each address of the device, and reports what it learned
// and that it has finished. A probe that fails or forgets a word leaves it unknown.
func (w *pass) one(ctx context.Context, probe *Probe) {
	targets := slices.Clone(w.targets)
	if probe.Located {
		targets = targets[:1]
	}
	results := w.results[probe.Name]
	targets = slices.DeleteFunc(targets, func(t *Target) bool {
		return slices.ContainsFunc(results, func(l result) bool { return l.addr == t.addr })
	})
	problem, sent := "", false
	for _, t := range targets {
		before := w.sent()
		l, err := w.result(ctx, probe, t)
		if ctx.Err() != nil {
			return // stopped, not finished
		}
		if err != nil && problem == "" {
			problem = fact.Clean(err.Error(), fact.MaxText)
		}
		sent = sent || w.sent() > before
		results = append(results, l)
	}
	slices.SortStableFunc(results, func(a, b result) int { return cmp.Compare(w.index(a.addr), w.index(b.addr)) })
	w.results[probe.Name] = results
	w.ran = append(w.ran, probe.Name)
	w.problems[probe.Name] = problem
	for _, t := range w.targets {
		if t.cut && !slices.Contains(w.cut, probe.Name) {
			w.cut = append(w.cut, probe.Name)
		}
		t.cut = false
	}
	if sent {
		w.prober.noteProbed(w.device.ID)
	}
	o := w.merged(probe, results)
	if !w.holds() {
		w.report(probe, o)
		return
	}
	w.learn(o.Facts)
	w.held = append(w.held, held{probe, results})
}

// merged is what a probe learned at some addresses, as one.
func (w *pass) merged(probe *Probe, results []result) discovery.Observation {
	o := discovery.Observation{About: w.targets[0].About(), Facts: results[0].facts, Services: results[0].services, PortMappings: results[0].mappings, Name: results[0].name}
	if len(results) > 1 {
		o.Facts = w.targets[0].Evidence()
		merge(results, o.Facts)
		o.Services = mergeServices(results)
		for _, l := range results {
			o.Name = cmp.Or(o.Name, l.name)
			if o.PortMappings == nil {
				o.PortMappings = l.mappings
			}
		}
	}
	o.Quiet, o.Gone = true, true
	for _, l := range results {
		o.Via = cmp.Or(o.Via, l.via)
		o.Quiet, o.Gone = o.Quiet && l.quiet, o.Gone && l.gone
		if l.disputed != nil {
			o.Disputed = append(append([]discovery.AddressDispute{}, o.Disputed...), l.disputed...)
		}
	}
	o.Facts.Finish(probe.Name)
	return o
}

// sent is how much has been sent in this pass.
func (w *pass) sent() (n int) {
	for _, t := range w.targets {
		n += t.connections
	}
	return n + w.targets[0].datagrams
}

// result runs a probe at one address.
func (w *pass) result(ctx context.Context, probe *Probe, t *Target) (result, error) {
	limited, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	for _, o := range w.targets {
		o.begin(probe)
	}
	l := result{addr: t.addr, facts: t.Evidence()}
	said := false
	err := w.safely(probe, func() error {
		return probe.Run(limited, t, func(o discovery.Observation) {
			if !w.isOurs(o) {
				w.report(probe, o)
				return
			}
			for _, e := range o.Facts.Entries() {
				l.facts.Put(e)
			}
			if o.Services != nil {
				l.services = o.Services
			}
			if o.PortMappings != nil {
				l.mappings = o.PortMappings
			}
			l.name, l.via = cmp.Or(o.Name, l.name), cmp.Or(o.Via, l.via)
			l.quiet, l.gone = o.Quiet && (l.quiet || !said), o.Gone
			if o.Disputed != nil {
				l.disputed = o.Disputed
			}
			said = true
		})
	})
	for _, o := range w.targets {
		o.end()
		w.answered[o.addr] = w.answered[o.addr] || o.answered
	}
	l.answered = w.answered[t.addr]
	for _, word := range probe.Gives {
		if _, ok := l.facts.Entry(word); !ok {
			l.facts.MarkUnknown(word, fact.Unreadable)
		}
	}
	return l, err
}

// report passes an observation on, with a copy of its facts: the probe may go
// on writing in its own.
func (w *pass) report(probe *Probe, o discovery.Observation) {
	o.By, o.At, o.Facts = probe.Name, w.prober.opt.Now(), o.Facts.Clone()
	o.Quiet = o.Quiet || !slices.ContainsFunc(w.targets, func(t *Target) bool { return t.answered })
	if w.isOurs(o) {
		w.learn(o.Facts)
	}
	w.prober.opt.Report(o)
}

// learn takes in what further probes of this pass shall know.
func (w *pass) learn(facts *fact.Evidence) {
	for _, e := range facts.Entries() {
		if old, _ := w.evidence.Entry(e.Name); e.Known() || !old.Known() {
			w.evidence.Put(e)
		}
	}
	for _, by := range facts.FinishedBy() {
		w.evidence.Finish(by)
	}
	w.recognise()
}

// recognise adds to the evidence of the pass what it shows the device to be. What
// others say comes first, and what was recognised before gives way.
func (w *pass) recognise() {
	if w.prober.opt.Recognise == nil {
		return
	}
	for _, n := range w.prober.opt.Recognise(w.evidence).Entries() {
		if old, _ := w.evidence.Entry(n.Name); !old.Known() || old.By == n.By || old.Likely && !n.Likely {
			w.evidence.Put(n)
		}
	}
}

// isOurs reports whether an observation is about the device of the pass.
func (w *pass) isOurs(o discovery.Observation) bool {
	if len(o.About) == 0 {
		return w.device.ID == discovery.Hub
	}
	return slices.ContainsFunc(w.targets[0].About(), func(i discovery.Identifier) bool { return slices.Contains(o.About, i) })
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
		s.needed[name], s.results[name], s.at[name] = w.needed[name], w.results[name], w.at
		if regular, ok := w.regular[name]; !s.forced && ok {
			s.due[name] = regular
		} else if !s.forced {
			s.due[name] = now.Add(interval(p.probe(name), s.device.ID))
		}
		p.setHealth(name, s.device.ID, w.problems[name])
		if problem := w.problems[name]; problem != "" {
			p.opt.Log.Warn("probe failed", "probe", name, "device", s.device.ID, "error", problem)
		}
	}
	s.silent, s.ended = nil, now
	if len(w.targets) > 0 && len(w.cut) > 0 {
		s.silent = w.targets[0].silentPorts()
		for _, name := range w.cut {
			if w.targets[0].answered && !s.forced { // else it is all silence, and waiting for its turn is enough
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
