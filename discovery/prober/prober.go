// Package prober runs probes: gentle, read-only questions to one device. It decides
// when a device is asked and how far, and gives each probe a Target, the only way
// to the device, which holds the pace, the limits and the guard against other
// addresses.
//
// It is not its job to know what to ask: each probe is a package of its own.
package prober

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Limits of the Prober that no configuration raises (DESIGN section 9).
const (
	MaxPerDevice = 16  // new connections a second
	MaxPerHouse  = 128 // new connections a second
	maxPasses    = 64  // devices asked at the same time
	probeTimeout = 2 * time.Minute
	// together is how early a probe joins a pass that another one caused.
	together = 10 * time.Minute
	// resume is when a pass goes on that had to stop because of silent ports.
	resume = 10 * time.Minute
	// lookAgain is how often the plans are made anew: an interface may have come up.
	lookAgain = time.Minute
)

// Options say what the Prober may do. Networks, Now and Report are needed.
type Options struct {
	Probes   []*Probe  // in the order in which a pass runs them
	Searches []*Search // sent to all devices at once
	// Touch is the highest level for every device.
	Touch Touch
	// DeviceTouch is the owner's level for one device, in place of Touch; nil if
	// there is none.
	DeviceTouch func(discovery.Device) (Touch, bool)
	// NeverProbe says which devices are only listened to, beside medical and
	// alarm devices, which always are; may be nil.
	NeverProbe func(discovery.Device, *fact.Evidence) bool
	// Recognise returns what the evidence shows the device to be, so that the
	// probes of a pass see what those before them have shown; may be nil.
	Recognise func(*fact.Evidence) *fact.Evidence
	// Outside names the probes with Outside set that the owner switched on.
	Outside map[string]bool
	// PerDevice and PerHouse are new connections a second; 0 in either means
	// listen only.
	PerDevice, PerHouse int
	Dial                DialFunc // nil means NetDial
	// DialUDP opens sockets for single datagrams; nil means NetDialUDP, or none at
	// all if Dial is set. Its errors are those of a DialFunc.
	DialUDP DialFunc
	// ListenUDP opens the socket of a search; nil means NetListenUDP, or no searches
	// at all if Dial is set. See NetListenUDP.
	ListenUDP func(port uint16) (net.PacketConn, error)
	Networks  func() discovery.Networks
	Now       func() time.Time
	// Report takes observations, with By and At set, from several goroutines at
	// once. It may block, but not until a method of the Prober has returned.
	Report func(discovery.Observation)
	// Sent counts every connection; may be nil. It is called like Report.
	Sent func(to netip.Addr, packets, connections int)
	// Health tells, on change, that a probe fails on some device, or that it is
	// well again; may be nil. It is called like Report, from one goroutine.
	Health func(probe string, status discovery.Status, problem string)
	Log    *slog.Logger // nil means none
}

// Prober puts the questions of the probes to the devices: at once to a new
// device, then each probe at its own interval; one probe at a time per device,
// and never faster than allowed. The probes that are due run in one pass, which
// shares a Target. Its methods are safe for concurrent use and do not block.
type Prober struct {
	opt   Options
	house *pace
	wake  chan struct{}

	mu       sync.Mutex // guards all below
	subjects map[discovery.ID]*subject
	fragile  map[discovery.ID]bool
	failing  map[string]map[discovery.ID]string // by probe: what went wrong with which device
	unwell   map[string]bool                    // probes whose health is to be told
	searches []*searching                       // those of opt.Searches
	running  int
	lastPass time.Time
}

// subject is a device as the Prober sees it.
type subject struct {
	device   discovery.Device
	evidence *fact.Evidence
	due      map[string]time.Time    // by probe
	needed   map[string]string       // by probe that ran: where it asked then
	at       map[string][]netip.Addr // by probe that ran: the addresses of the device then
	results  map[string][]result     // by probe that ran lately
	regular  map[string]time.Time    // by probe that is due because of a new address: when it is due otherwise
	ended    time.Time               // the last pass
	answered map[netip.Addr]bool     // addresses that have ever answered; of the pass, while one runs
	next     time.Time               // earliest due; zero if there is nothing to ask
	forced   bool                    // asked for by the owner: now, and even if it seems away
	cancel   context.CancelFunc      // of the pass that runs; nil if none does
	done     bool                    // a pass has ended
	pace     *pace
	silent   []uint16 // ports, when the last pass had to stop because of them

	away    bool      // DeviceOnline is false
	probed  time.Time // when it was last sent something
	struck  bool      // fell silent after the last pass
	strikes int       // passes in a row after which it fell silent
}

// New returns a Prober that does nothing until Run.
func New(opt Options) *Prober {
	opt.PerDevice = min(max(opt.PerDevice, 0), MaxPerDevice)
	opt.PerHouse = min(max(opt.PerHouse, 0), MaxPerHouse)
	opt.Touch = min(opt.Touch, Read)
	switch {
	case opt.ListenUDP != nil:
	case opt.Dial == nil:
		opt.ListenUDP = NetListenUDP
	default:
		opt.Searches = nil
	}
	switch {
	case opt.DialUDP != nil:
	case opt.Dial == nil:
		opt.DialUDP = NetDialUDP
	default:
		opt.DialUDP = noUDP
	}
	if opt.Dial == nil {
		opt.Dial = NetDial
	}
	if opt.Sent == nil {
		opt.Sent = func(netip.Addr, int, int) {}
	}
	if opt.Health == nil {
		opt.Health = func(string, discovery.Status, string) {}
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	p := &Prober{
		opt: opt, house: newPace(max(opt.PerHouse, 1)), wake: make(chan struct{}, 1),
		subjects: map[discovery.ID]*subject{}, fragile: map[discovery.ID]bool{}, failing: map[string]map[discovery.ID]string{},
		unwell: map[string]bool{},
	}
	for range opt.Searches {
		p.searches = append(p.searches, &searching{why: fact.NotProbed, missed: map[netip.Addr]int{}})
	}
	return p
}

// Run asks until ctx is done, then returns nil once every pass has stopped.
func (p *Prober) Run(ctx context.Context) error {
	var passes sync.WaitGroup
	defer passes.Wait()
	for {
		p.reportHealth()
		timer := time.NewTimer(p.start(ctx, &passes))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-p.wake:
			timer.Stop()
		case <-timer.C:
			p.replan()
		}
	}
}

// start begins the passes that are due, the longest due first, and returns how
// long there is nothing more to begin.
func (p *Prober) start(ctx context.Context, passes *sync.WaitGroup) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.opt.Now()
	var due []*subject
	wait := p.startSearches(ctx, passes)
	for _, s := range p.subjects {
		switch {
		case s.next.IsZero() || s.cancel != nil:
		case s.next.After(now):
			wait = min(wait, s.next.Sub(now))
		default:
			due = append(due, s)
		}
	}
	slices.SortFunc(due, func(a, b *subject) int {
		return cmp.Or(a.next.Compare(b.next), cmp.Compare(a.device.ID, b.device.ID))
	})
	for _, s := range due {
		if p.running == maxPasses {
			break // the end of one wakes us
		}
		p.running++
		passing, cancel := context.WithCancel(ctx)
		s.cancel = cancel
		work := p.newPass(s)
		passes.Go(func() {
			work.run(passing)
			p.finish(s, work, passing.Err() == nil)
		})
	}
	return wait
}

// Update tells what is known of a device now. Call it whenever that changed;
// the evidence is copied. What nobody has confirmed since a restart is left out:
// the device's address may be somebody else's now.
func (p *Prober) Update(d discovery.Device, ev *fact.Evidence) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.subjects[d.ID]
	if s == nil {
		s = &subject{due: map[string]time.Time{}, needed: map[string]string{}, at: map[string][]netip.Addr{}, results: map[string][]result{}, regular: map[string]time.Time{}, answered: map[netip.Addr]bool{}, pace: newPace(max(p.opt.PerDevice, 1))}
		p.subjects[d.ID] = s
	}
	s.device, s.evidence = d, ev.Clone()
	for _, n := range ev.Entries() {
		if n.Why == fact.Restored {
			s.evidence.Remove(n.Name)
			s.evidence.Unfinish(n.By) // has to ask again
		}
	}
	online, ok := fact.DeviceOnline.Get(s.evidence)
	p.noteOnline(s, ok && !online)
	p.plan(s)
	p.wakeUp()
}

// Remove forgets a device and stops asking it. If it was left alone, it will be
// again should it come back.
func (p *Prober) Remove(id discovery.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.subjects[id]; s != nil && s.cancel != nil {
		s.cancel()
	}
	delete(p.subjects, id)
	for probe := range p.failing {
		p.setHealth(probe, id, "")
	}
	p.wakeUp()
}

// Rename says that a device has a better id now: it is left alone if it was.
// Update tells the rest.
func (p *Prober) Rename(old, id discovery.ID) {
	p.mu.Lock()
	if p.fragile[old] {
		delete(p.fragile, old)
		p.fragile[id] = true
		if s := p.subjects[id]; s != nil && s.cancel != nil {
			s.cancel()
		}
	}
	p.mu.Unlock()
	p.Remove(old)
}

// Recheck makes all probes of a device due now, also while it seems to be away.
// A device that is left alone is not asked: see Clear.
func (p *Prober) Recheck(id discovery.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.subjects[id]
	if s == nil {
		return
	}
	s.forced, s.silent = true, nil
	p.searchAgain(s.evidence)
	for probe := range s.due {
		s.due[probe] = time.Time{}
	}
	p.plan(s)
	p.wakeUp()
}

// Progress returns how many of the devices that can be asked have been, as far
// as is due; a scan is complete when both are the same.
func (p *Prober) Progress() (done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.opt.Now()
	for _, s := range p.subjects {
		if s.next.IsZero() && s.cancel == nil {
			continue
		}
		total++
		if s.done && s.cancel == nil && s.next.After(now) {
			done++
		}
	}
	return done, total
}

// LastPass returns when a pass over a device last ended; zero if none has.
func (p *Prober) LastPass() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lastPass
}

func (p *Prober) wakeUp() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// setHealth notes a problem of a probe with a device, or "" for none.
func (p *Prober) setHealth(probe string, id discovery.ID, problem string) {
	bad := p.failing[probe]
	if bad[id] == problem {
		return
	}
	p.unwell[probe] = true
	if problem == "" {
		delete(bad, id)
		return
	}
	if bad == nil {
		bad = map[discovery.ID]string{}
		p.failing[probe] = bad
	}
	bad[id] = problem
}

// reportHealth tells what setHealth noted, without the lock: the listener may wait
// for one who waits for us.
func (p *Prober) reportHealth() {
	p.mu.Lock()
	problems := map[string]string{}
	for probe := range p.unwell {
		problems[probe] = problemOf(probe, p.failing[probe])
	}
	clear(p.unwell)
	for i, st := range p.searches {
		if st.problem != st.told {
			st.told, problems[p.opt.Searches[i].Name] = st.problem, st.problem
		}
	}
	p.mu.Unlock()
	for _, probe := range slices.Sorted(maps.Keys(problems)) {
		status := discovery.OK
		if problems[probe] != "" {
			status = discovery.Degraded
		}
		p.opt.Health(probe, status, problems[probe])
	}
}

func problemOf(probe string, bad map[discovery.ID]string) string {
	if len(bad) == 0 {
		return ""
	}
	first := slices.Min(slices.Collect(maps.Keys(bad)))
	return fmt.Sprintf("The check %q failed on %d devices, %s among them: %s.", probe, len(bad), first, bad[first])
}
