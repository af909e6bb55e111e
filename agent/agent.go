// Package agent is Thingwarden itself: it wires sources, probes, policies and
// publishers together, runs them, and remembers what the owner decided.
//
// One goroutine, the loop, owns all that is known (package home); everything else
// sends it inputs and reads immutable snapshots. It is not this package's job
// to speak any device's protocol (package discovery), to judge (package
// policy), or to know how Home Assistant wants to be told (package hass).
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/thingwarden/thingwarden/agent/clock"
	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/agent/control"
	"github.com/thingwarden/thingwarden/agent/home"
	"github.com/thingwarden/thingwarden/agent/offline"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/agent/store"
	"github.com/thingwarden/thingwarden/agent/supervisor"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/builtin"
	"github.com/thingwarden/thingwarden/discovery/network"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/product"
	"github.com/thingwarden/thingwarden/policy"
)

// Mode is what an agent is run for.
type Mode int

// The modes.
const (
	// ModeRun watches the home, remembers and publishes.
	ModeRun Mode = iota
	// ModeScan looks once: it reads the owner's decisions, writes nothing and
	// publishes nothing.
	ModeScan
)

// Options are what an agent is made of. Config and Log are required.
type Options struct {
	Config  config.Config
	Log     *slog.Logger
	Version string
	Mode    Mode
	// Built is a time before which no clock is right; zero if none is known.
	Built time.Time
	// OnSnapshot is called with each new snapshot, one at a time; it must not block.
	OnSnapshot func(*report.Snapshot)
	// OnNotice is called with plain lines for the person who started the agent.
	OnNotice func(string)
	// Sources, Dial and DialUDP replace the built-in sources and the network; nil
	// means the real ones. The simulated home of `demo` uses them. With a Dial
	// nothing at all is sent to the real network.
	Sources []discovery.SourceKind
	Dial    prober.DialFunc
	DialUDP prober.DialFunc
	// Supervisor is set inside the app of Home Assistant: it knows the broker if
	// none is configured, and where our page is to be shown.
	Supervisor *supervisor.Client
	// Networks replaces the machine's own networks; nil means those.
	Networks func() discovery.Networks
}

// Agent is one running Thingwarden.
type Agent struct {
	opt          Options
	log          *slog.Logger
	now          func() time.Time
	set          *policy.Set
	cards        *product.Cards
	store        *store.Store // nil in a scan
	networks     func() discovery.Networks
	routed       *network.Routed
	kinds        []discovery.SourceKind
	inputs       chan input
	mail         *mailbox
	loop         *loop
	prober       *prober.Prober
	link         link
	pubs         []publisher
	memory       map[string][]byte // of the publishers; owned by the loop
	newest       atomic.Pointer[report.Snapshot]
	owned        atomic.Pointer[map[netip.Addr]discovery.Identifier] // owners of addresses
	resolving    *rate.Limiter                                       // of questions for hardware addresses
	share        share                                               // of datagrams
	clock        *clock.Clock
	clockNoticed bool // owned by watchSight
}

// New loads policies and state. Every error of the configuration and of the
// policies is in the error that it returns; nothing has been started then.
func New(o Options) (*Agent, error) {
	a := &Agent{opt: o, log: o.Log, now: time.Now, inputs: make(chan input, 4*batch), mail: newMailbox(),
		resolving: rate.NewLimiter(resolvePerSec, resolveBurst),
		kinds:     o.Sources, networks: o.Networks, routed: &network.Routed{}}
	if a.kinds == nil {
		a.kinds = builtin.Sources
	}
	cards, err := offline.LoadCards()
	if err != nil {
		return nil, err
	}
	set, err := offline.LoadPoliciesWith(o.Config, cards)
	if err != nil {
		return nil, err
	}
	a.set, a.cards = set, cards
	for _, w := range set.Warnings() {
		a.log.Warn(w)
	}
	if a.networks == nil {
		view, err := network.NewView(o.Config.Network.Prefixes, a.log)
		if err != nil {
			return nil, fmt.Errorf("network.prefixes: %w", err)
		}
		a.networks = view.Networks
	}
	a.networks = a.routed.Added(a.networks)
	dec, st, err := a.open()
	if err != nil {
		return nil, err
	}
	a.setClock(st)
	dec.NotAfter(a.now())
	st.NotAfter(a.now())
	a.prober = prober.New(a.proberOptions())
	if st != nil {
		a.prober.Restore(st.Fragile)
	}
	now := a.now()
	h := home.New(home.Options{
		Site: o.Config.Site, Version: o.Version, Policies: set, Cards: a.cards, Pending: a.prober.Pending, Watch: o.Mode == ModeRun,
		Learning: o.Config.LearningPeriod, Networks: a.networks, Sources: slices.Concat(a.kinds, prober.SearchKinds(builtin.Searches)),
		Decisions: dec, State: st,
	}, now)
	a.loop = newLoop(a, h)
	a.memory = map[string][]byte{}
	if st != nil {
		a.loop.history.LastDay(st.SavedAt)
		maps.Copy(a.memory, st.Publisher)
	}
	if a.store != nil {
		a.loop.apply(home.Health{Name: stateHealth, Status: discovery.OK}, now)
	}
	// Before the first snapshot: a device must not lose the name that the owner
	// gave it, or its class, for a moment.
	if err := offline.ApplyOwner(o.Config, now, h.Knows, func(in home.Input) { a.loop.apply(in, now) }); err != nil {
		return nil, errors.Join(err, a.close())
	}
	if err := a.connect(dec); err != nil {
		return nil, errors.Join(err, a.close())
	}
	if o.Mode == ModeRun {
		if err := a.addPublishers(); err != nil {
			return nil, errors.Join(err, a.close())
		}
	}
	a.loop.apply(home.Tick{}, now)
	a.newest.Store(h.Snapshot(now))
	return a, nil
}

// open reads what an earlier run left; in a scan it does not write.
func (a *Agent) open() (*home.Decisions, *home.State, error) {
	now, dir := a.now(), a.opt.Config.StateDir
	if a.opt.Mode == ModeScan {
		dec, err := store.ReadDecisions(dir, now)
		return dec, nil, err
	}
	s, err := store.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	dec, err := store.ReadDecisions(dir, now)
	if err == nil {
		var st *home.State
		var notice string
		if st, notice, err = s.ReadState(now); err == nil {
			if notice != "" {
				a.notice(notice)
			}
			a.store = s
			return dec, st, nil
		}
	}
	return nil, nil, errors.Join(err, s.Close())
}

func (a *Agent) close() error {
	if a.store == nil {
		return nil
	}
	return a.store.Close()
}

// Run watches the home until ctx is done, then saves everything. A source,
// probe or publisher that fails shows in the snapshot's health and is started
// again; it never ends the run. ErrClockWentBack alone ends it early: then everything
// is saved, and another Agent is to go on.
func (a *Agent) Run(ctx context.Context) error {
	defer a.close()
	// The loop outlives the others, so that none of them blocks on its way out
	// and what they said last is saved.
	loopCtx, stopLoop := context.WithCancel(context.WithoutCancel(ctx))
	loopDone := make(chan error, 1)
	go func() { loopDone <- a.loop.run(loopCtx) }()

	// Nothing ends before the last look: what ends says that it is down.
	watchCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, gctx := errgroup.WithContext(watchCtx)
	g.Go(func() error { a.lastLook(ctx, gctx); stop(); return nil })
	for _, k := range a.kinds {
		a.startSource(gctx, g, k)
	}
	g.Go(func() error { return a.prober.Run(gctx) })
	a.startOutside(gctx, g)
	g.Go(func() error { return a.watchSight(gctx) })
	if a.store != nil {
		g.Go(func() error { a.serveControl(gctx); return nil })
	}
	err := g.Wait()
	stopLoop()
	return errors.Join(err, <-loopDone)
}

// lastLook waits for the end of ctx and has the last snapshot made, with all that
// was reported until then; unless everything has ended before.
func (a *Agent) lastLook(ctx, ended context.Context) {
	select {
	case <-ctx.Done():
	case <-ended.Done():
		return
	}
	done := make(chan struct{})
	if err := a.send(ended, input{then: func(home.Effects) { a.loop.lastLook(); close(done) }}); err != nil {
		return
	}
	<-done
}

// Snapshot returns the newest snapshot; it is never nil.
func (a *Agent) Snapshot() *report.Snapshot { return a.newest.Load() }

// Policies returns the policies that the agent judges by.
func (a *Agent) Policies() *policy.Set { return a.set }

// Progress returns how many devices the probes have finished with, of how many.
func (a *Agent) Progress() (done, total int) { return a.prober.Progress() }

// Do carries out a command of the owner. When it returns nil, the decision is
// on disk.
func (a *Agent) Do(ctx context.Context, cmd report.Command) error {
	return a.decide(ctx, home.Do{Command: cmd})
}

// Import takes over what the owner decided elsewhere. When it returns nil, that is
// on disk.
func (a *Agent) Import(ctx context.Context, t *home.Transfer) error {
	return a.decide(ctx, home.Import{Transfer: t})
}

func (a *Agent) decide(ctx context.Context, d home.Decision) error {
	w := wish{d, make(chan error, 1), new(atomic.Bool)}
	if err := a.send(ctx, input{then: func(home.Effects) { a.loop.do(w) }}); err != nil {
		return err
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
	}
	if w.take() {
		return fmt.Errorf("the decision was not carried out: it could not be saved in time: %w", ctx.Err())
	}
	select {
	case err := <-w.done:
		return err
	default:
		return fmt.Errorf("the decision is still being saved, and may hold later: %w", ctx.Err())
	}
}

// serveControl serves the command line. The agent does all else without it.
func (a *Agent) serveControl(ctx context.Context) {
	err := control.Serve(ctx, control.Path(a.opt.Config.StateDir), control.API{
		Snapshot: a.Snapshot,
		Do:       a.Do,
		Import:   a.Import,
	})
	if err != nil && ctx.Err() == nil {
		a.log.Warn("the command line can't reach this agent", "err", err)
		a.mail.setHealth("control", discovery.Degraded, fmt.Sprintf("The command line can't reach the agent: %v.", err))
	}
}

// send gives the loop something to do.
func (a *Agent) send(ctx context.Context, in input) error {
	select {
	case a.inputs <- in:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *Agent) notice(line string) {
	if a.opt.OnNotice != nil {
		a.opt.OnNotice(line)
	}
}

// show makes the newest snapshot and hands it to everyone who shows it.
func (a *Agent) show(h *home.Home, now time.Time) *report.Snapshot {
	if last := a.prober.LastPass(); !last.IsZero() {
		a.loop.apply(home.PassEnded(last), now)
	}
	s := h.Snapshot(now)
	a.newest.Store(s)
	a.offer(s)
	if a.opt.OnSnapshot != nil {
		a.opt.OnSnapshot(s)
	}
	return s
}

// passOn passes on to the prober and the kernel what changed.
func (a *Agent) passOn(e home.Effects) {
	for _, r := range e.Renamed {
		a.prober.Rename(r.From, r.To)
	}
	for _, id := range e.Gone {
		a.prober.Remove(id)
	}
	for _, j := range e.Judged {
		a.prober.Update(j.Device, j.Evidence)
	}
	for _, id := range e.Cleared {
		a.prober.Clear(id)
	}
	for _, id := range e.Recheck {
		a.prober.Recheck(id)
	}
	if len(e.Judged)+len(e.Cleared) > 0 {
		a.loop.apply(home.LeftAlone(a.prober.Fragile()), a.now())
	}
	for _, addr := range e.Resolve {
		if a.opt.Config.ListenOnly() || a.share.pause(time.Now()) > 0 || !a.resolving.Allow() {
			break
		}
		a.resolve(addr)
	}
}

// saveState is the state with what the prober and the publishers remember.
func (a *Agent) saveState(h *home.Home, now time.Time) *home.State {
	st := h.State(now)
	st.Fragile = a.prober.Fragile()
	st.Publisher = a.memory
	return st
}
