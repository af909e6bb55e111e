package agent

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

const (
	restartFirst = time.Second
	restartMost  = 5 * time.Minute
)

// startSource runs a source for as long as ctx lives, starting it again with
// backoff when it fails.
func (a *Agent) startSource(ctx context.Context, g *errgroup.Group, k discovery.SourceKind) {
	cfg, enabled := a.opt.Config.Source(k.Name)
	if !enabled {
		a.health(ctx, k.Name, discovery.OK, "Switched off in the configuration.")
		return
	}
	g.Go(func() error {
		a.supervise(ctx, k, cfg)
		return nil
	})
}

func (a *Agent) supervise(ctx context.Context, k discovery.SourceKind, cfg any) {
	wait := restartFirst
	a.health(ctx, k.Name, discovery.OK, "")
	for {
		began := a.now()
		err := a.runSource(ctx, k, cfg)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = fmt.Errorf("it stopped by itself")
		}
		a.log.Warn("source failed", "source", k.Name, "err", err)
		a.health(ctx, k.Name, discovery.Down, fmt.Sprintf("It does not work at present: %v.", err))
		_ = a.send(ctx, func(c *core, _ time.Time) { c.sourceDown(k.Name) }) // fails only when all ends
		if a.now().Sub(began) > restartMost {
			wait = restartFirst
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait/2 + rand.N(wait/2)):
		}
		wait = min(2*wait, restartMost)
		a.health(ctx, k.Name, discovery.OK, "")
	}
}

// runSource runs a source once. A panic in it is its failure, not the agent's.
func (a *Agent) runSource(ctx context.Context, k discovery.SourceKind, cfg any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	s, err := k.New(cfg, a.env(ctx, k.Name))
	if err != nil {
		return fmt.Errorf("starting: %w", err)
	}
	return s.Run(ctx, func(o discovery.Observation) { a.report(ctx, k.Name, o) })
}

func (a *Agent) env(ctx context.Context, name string) discovery.Env {
	return discovery.Env{
		Log: a.log.With("source", name), Now: a.now, MQTT: a.outlets.mqtt(), Networks: a.networks,
		Health: func(s discovery.Status, problem string) { a.health(ctx, name, s, problem) },
		Sent:   func(to netip.Addr, packets, connections int) { a.sent(ctx, to, packets, connections) },
	}
}

// report passes an observation to the loop. It blocks while the loop is behind:
// whoever floods a source slows that source.
func (a *Agent) report(ctx context.Context, by string, o discovery.Observation) {
	o.By, o.At = by, a.now()
	_ = a.send(ctx, func(c *core, now time.Time) { c.observe(o, now) }) // fails only when all ends
}

func (a *Agent) health(ctx context.Context, name string, s discovery.Status, problem string) {
	_ = a.send(ctx, func(c *core, _ time.Time) { c.setHealth(name, s, problem) }) // fails only when all ends
}

// sent counts what was sent to the device that has the address, or for the home.
func (a *Agent) sent(ctx context.Context, to netip.Addr, packets, connections int) {
	_ = a.send(ctx, func(c *core, _ time.Time) { // fails only when all ends
		id := discovery.Hub
		if to.IsValid() {
			var ok bool
			if id, ok = c.inv.Find(discovery.IP(to)); !ok {
				id = discovery.Hub // nobody is there (yet)
			}
		}
		n := c.sent[id]
		c.sent[id] = report.Sent{Packets: n.Packets + packets, Connections: n.Connections + connections}
	})
}
