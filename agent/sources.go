package agent

import (
	"context"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/thingwarden/thingwarden/agent/home"
	"github.com/thingwarden/thingwarden/agent/runner"
	"github.com/thingwarden/thingwarden/discovery"
)

// startSource runs a source for as long as ctx lives, if it is switched on.
func (a *Agent) startSource(ctx context.Context, g *errgroup.Group, k discovery.SourceKind) {
	cfg, enabled := a.sourceConfig(k)
	if !enabled {
		a.mail.setHealth(k.Name, discovery.OK, "Switched off in the configuration.")
		return
	}
	g.Go(func() error { a.source(ctx, k, cfg).Run(ctx); return nil })
}

// source is a source as it is run until ctx is done.
func (a *Agent) source(ctx context.Context, k discovery.SourceKind, cfg discovery.SourceConfig) runner.Source {
	return runner.Source{
		Config: cfg, Env: a.env(k.Name),
		Report: func(o discovery.Observation) { a.report(ctx, k.Name, o) },
		Down:   func() { _ = a.send(ctx, input{Input: home.SourceDown(k.Name)}) }, // fails only when all ends
	}
}

func (a *Agent) env(name string) discovery.Env {
	env := discovery.Env{
		Log: a.log.With("source", name), Now: a.now, MQTT: a.link.mqtt(), Networks: a.networks,
		Health:     func(s discovery.Status, problem string) { a.mail.setHealth(name, s, problem) },
		Routed:     a.routed.Set,
		Owners:     a.owners,
		Pause:      func() time.Duration { return a.share.pause(time.Now()) },
		Connection: a.prober.Connection,
		Sent:       a.countSent,
		ListenOnly: a.opt.Config.ListenOnly(), Devices: a.opt.Config.OwnerDevices(),
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
