package agent

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/thingwarden/thingwarden/agent/home"
	"github.com/thingwarden/thingwarden/discovery"
)

const (
	restartFirst = time.Second
	restartMost  = 5 * time.Minute
	// wellAfter is how long a source that failed must run until it counts as well
	// again, unless it says so itself: one that fails time after time must not seem
	// to come back each time.
	wellAfter = 10 * time.Second
)

// startSource runs a source for as long as ctx lives, starting it again with
// backoff when it fails.
func (a *Agent) startSource(ctx context.Context, g *errgroup.Group, k discovery.SourceKind) {
	cfg, enabled := a.sourceConfig(k)
	if !enabled {
		a.health(k.Name, discovery.OK, "Switched off in the configuration.")
		return
	}
	g.Go(func() error {
		a.supervise(ctx, k, cfg)
		return nil
	})
}

func (a *Agent) supervise(ctx context.Context, k discovery.SourceKind, cfg discovery.SourceConfig) {
	wait := restartFirst
	a.health(k.Name, discovery.OK, "")
	failed := false
	for {
		began := a.now()
		err := a.runSource(ctx, k, cfg, failed)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = fmt.Errorf("it stopped by itself")
		}
		a.log.Warn("source failed", "source", k.Name, "err", err)
		a.health(k.Name, discovery.Down, fmt.Sprintf("It does not work at present: %v.", err))
		_ = a.send(ctx, input{Input: home.SourceDown(k.Name)}) // fails only when all ends
		if a.now().Sub(began) > restartMost {
			wait = restartFirst
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait/2 + rand.N(wait/2)):
		}
		wait, failed = min(2*wait, restartMost), true
	}
}

// runSource runs a source once, again after it failed or for the first time. A
// panic in it is its failure, not the agent's.
func (a *Agent) runSource(ctx context.Context, k discovery.SourceKind, cfg discovery.SourceConfig, again bool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	env := a.env(k.Name)
	if again {
		h := &recovery{tell: env.Health}
		env.Health = h.says
		defer time.AfterFunc(wellAfter, h.well).Stop()
	}
	s, err := cfg.New(env)
	if err != nil {
		return fmt.Errorf("starting: %w", err)
	}
	return s.Run(ctx, func(o discovery.Observation) { a.report(ctx, k.Name, o) })
}

// recovery is the health of a source that failed before and runs again.
type recovery struct {
	mu   sync.Mutex
	told bool // by the source itself
	tell func(discovery.Status, string)
}

func (h *recovery) says(s discovery.Status, problem string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told = true
	h.tell(s, problem)
}

func (h *recovery) well() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.told {
		h.tell(discovery.OK, "")
	}
}

func (a *Agent) env(name string) discovery.Env {
	env := discovery.Env{
		Log: a.log.With("source", name), Now: a.now, MQTT: a.outlets.mqtt(), Networks: a.networks,
		Health:     func(s discovery.Status, problem string) { a.health(name, s, problem) },
		Routed:     a.routed.set,
		Owners:     a.owners,
		Pause:      func() time.Duration { return a.share.pause(time.Now()) },
		Sent:       a.countSent,
		ListenOnly: listenOnly(a.opt.Config), Devices: ownerDevices(a.opt.Config),
	}
	if a.opt.Supervisor != nil {
		env.Supervisor = a.opt.Supervisor.HomeAssistant
	}
	return env
}

// owners returns which devices have which addresses now.
func (a *Agent) owners() map[netip.Addr]discovery.Identifier {
	if known := a.owned.Load(); known != nil {
		return *known
	}
	return nil
}

func (a *Agent) countSent(to netip.Addr, packets, connections int) {
	a.share.count(packets, time.Now())
	a.mail.addSent(to, packets, connections)
}

// report passes an observation to the loop. It blocks while the loop is behind:
// whoever floods a source slows that source.
func (a *Agent) report(ctx context.Context, by string, o discovery.Observation) {
	o.By, o.At = by, a.now()
	_ = a.send(ctx, input{Input: home.Observation{Observation: o}}) // fails only when all ends
}

func (a *Agent) health(name string, s discovery.Status, problem string) {
	a.mail.setHealth(name, s, problem)
}
