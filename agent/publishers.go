package agent

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/thingwarden/thingwarden/agent/broker"
	"github.com/thingwarden/thingwarden/agent/hass"
	"github.com/thingwarden/thingwarden/agent/home"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/agent/web"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/ha-addon/dashboards"
)

// retryPublish is how long a publisher that failed waits for the next try.
const retryPublish = 5 * time.Second

// publishers is the list of all publishers, with what each takes from the
// configuration.
func (a *Agent) publishers() []report.PublisherKind {
	c := a.opt.Config
	return []report.PublisherKind{
		{Name: "hass", MQTT: true, New: func(env report.PublisherEnv) (report.Publisher, error) {
			return hass.NewPublisher(env, hass.Options{
				Site: c.Site, Prefix: c.MQTT.DiscoveryPrefix, BirthTopic: c.MQTT.BirthTopic, Page: a.pageInHomeAssistant(),
			}), nil
		}},
		{Name: "web", New: func(env report.PublisherEnv) (report.Publisher, error) {
			return web.NewPublisher(env, web.Options{
				Progress: a.Progress, PasswordFile: c.WebPasswordFile(), Token: c.Web.Token, Hosts: c.Web.Names(),
				Dashboard: func(s *report.Snapshot) ([]byte, error) { return hass.Dashboard(dashboards.Home, s) },
			}, web.Places{
				Listen: c.Web.Listen, Open: !c.Web.Loopback(), CertFile: c.Web.CertFile, KeyFile: c.Web.KeyFile, URL: c.Web.URL, Ingress: a.ingress(),
			}), nil
		}},
	}
}

// publisher is a publisher with the newest snapshot that it has not shown.
type publisher struct {
	report.Publisher
	name   string
	newest chan *report.Snapshot // holds at most one
}

// addPublishers makes the publishers.
func (a *Agent) addPublishers() error {
	for _, k := range a.publishers() {
		if k.MQTT && a.link.session == nil {
			continue
		}
		p, err := k.New(a.publisherEnv(k))
		if err != nil {
			return fmt.Errorf("publisher %s: %w", k.Name, err)
		}
		a.pubs = append(a.pubs, publisher{p, k.Name, make(chan *report.Snapshot, 1)})
	}
	return nil
}

func (a *Agent) publisherEnv(k report.PublisherKind) report.PublisherEnv {
	env := report.PublisherEnv{
		Log: a.log.With("part", k.Name), Now: a.now, Snapshot: a.Snapshot, Do: a.Do, Notice: a.notice, Health: a.mail.setHealth,
		Report: func(o discovery.Observation) { a.report(context.Background(), k.Name, o) },
		Memory: a.memory[k.Name],
		Remember: func(b []byte) {
			a.inputs <- input{then: func(home.Effects) {
				a.memory[k.Name] = b
				a.loop.touched = true
			}}
		},
	}
	if k.MQTT {
		env.MQTT = broker.MQTT{S: a.link.session}
	}
	return env
}

// publish runs all publishers until ctx is done.
func (a *Agent) publish(ctx context.Context) {
	var g errgroup.Group
	for _, p := range a.pubs {
		g.Go(func() error {
			if err := p.Run(ctx); err != nil && ctx.Err() == nil {
				a.log.Error("publisher failed", "publisher", p.name, "err", err)
				a.mail.setHealth(p.name, discovery.Down, fmt.Sprintf("It does not work any more: %v. Restart Thingwarden.", err))
			}
			return nil
		})
		g.Go(func() error { p.show(ctx, a); return nil })
	}
	_ = g.Wait() // none returns an error
	<-ctx.Done()
}

// offer gives the newest snapshot to every publisher; it never waits.
func (a *Agent) offer(s *report.Snapshot) {
	for _, p := range a.pubs {
		select {
		case <-p.newest: // an older one that nobody will miss
		default:
		}
		p.newest <- s
	}
}

// show publishes snapshots as they come. What can't be published is tried again, or
// given up for a newer one.
func (p publisher) show(ctx context.Context, a *Agent) {
	var s *report.Snapshot
	var retry <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case s = <-p.newest:
		case <-retry:
		}
		retry = nil
		if err := p.Publish(ctx, s); err != nil && ctx.Err() == nil {
			a.log.Debug("not published", "publisher", p.name, "err", err)
			retry = time.After(retryPublish)
		}
	}
}
