package web

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// The components of health that stand for the page at its own address and in Home
// Assistant.
const (
	ownHealth     = "web"
	ingressHealth = "ingress"
)

// Places are where the page is served.
type Places struct {
	// Listen is its own address and port; empty for none.
	Listen string
	// Open is set if Listen is beyond the loopback.
	Open bool
	// CertFile and KeyFile are for HTTPS; empty for HTTP.
	CertFile, KeyFile string
	// URL is what people type to get there; empty for what Listen says.
	URL string
	// Ingress returns the address and port where Home Assistant expects the page; nil
	// outside its app.
	Ingress func(context.Context) (string, error)
}

// Publisher serves the page. What is wrong with it shows in health and ends nothing
// else.
type Publisher struct {
	page   *Page
	env    report.PublisherEnv
	places Places
	file   string // with the password
}

// NewPublisher returns a publisher. Of the options it fills in those that env has.
func NewPublisher(env report.PublisherEnv, o Options, places Places) *Publisher {
	o.Snapshot, o.Do, o.Log = env.Snapshot, env.Do, env.Log
	return &Publisher{page: New(o), env: env, places: places, file: o.PasswordFile}
}

// Publish implements report.Publisher. There is nothing to send: the page is drawn
// from the newest snapshot when somebody looks.
func (p *Publisher) Publish(context.Context, *report.Snapshot) error { return nil }

// Run implements report.Publisher.
func (p *Publisher) Run(ctx context.Context) error {
	clear := p.places.Listen != "" && p.places.Open && p.places.CertFile == ""
	e := fact.New(ownHealth, p.env.Now())
	fact.HubPageClear.Set(e, clear, "web.listen: "+p.places.Listen)
	p.env.Report(discovery.Observation{By: ownHealth, Facts: e})
	if clear {
		p.env.Log.Warn("the page is served to the network without encryption: who listens there can read the password; set web.cert_file and web.key_file", "listen", p.places.Listen)
	}
	var serving sync.WaitGroup
	if p.places.Listen != "" {
		serving.Go(func() { p.keepServing(ctx, ownHealth, p.serveOwn) })
	}
	if p.places.Ingress != nil {
		serving.Go(func() { p.keepServing(ctx, ingressHealth, p.serveIngress) })
	}
	serving.Wait()
	return nil
}

// keepServing serves until ctx is done, and again after a failure.
func (p *Publisher) keepServing(ctx context.Context, part string, serve func(context.Context) error) {
	last := ""
	for wait := time.Second; ctx.Err() == nil; wait = min(2*wait, time.Minute) {
		err := serve(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		if last != err.Error() {
			last = err.Error()
			p.env.Log.Warn("the page cannot be served; trying again", "at", part, "err", err)
			p.env.Health(part, discovery.Down, fmt.Sprintf("The page cannot be served: %v.", err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// serveOwn serves the page at its own address.
func (p *Publisher) serveOwn(ctx context.Context) error {
	if _, err := EnsurePassword(p.file); err != nil {
		return err
	}
	l, err := Listen(ctx, p.places.Listen, p.places.CertFile, p.places.KeyFile)
	if err != nil {
		return err
	}
	scheme := "http"
	if p.places.CertFile != "" {
		scheme = "https"
	}
	p.env.Notice(fmt.Sprintf("The page is at %s. Changes need the password in %s.", cmp.Or(p.places.URL, scheme+"://"+l.Addr().String()+"/"), p.file))
	p.env.Health(ownHealth, discovery.OK, "")
	return Serve(ctx, l, p.page.Handler(false), p.env.Log)
}

// serveIngress serves the page where Home Assistant expects it.
func (p *Publisher) serveIngress(ctx context.Context) error {
	addr, err := p.places.Ingress(ctx)
	if err != nil {
		return err
	}
	l, err := ListenIngress(ctx, addr)
	if err != nil {
		return err
	}
	p.env.Health(ingressHealth, discovery.OK, "")
	return Serve(ctx, l, p.page.Handler(true), p.env.Log)
}
