package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/agent/hass"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/agent/web"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/ha-addon/dashboards"
)

// The components of health that stand for the page at its own address and in Home
// Assistant.
const (
	webHealth     = "web"
	ingressHealth = "ingress"
)

// PagePasswordFile is where the password of the page is.
func PagePasswordFile(c config.Config) string {
	return cmp.Or(c.Web.PasswordFile, filepath.Join(c.StateDir, "web-password"))
}

// startPage serves the page while ctx is not done: at its own address, and in Home
// Assistant. What is wrong with it shows in health and ends nothing else.
func (a *Agent) startPage(ctx context.Context, g *errgroup.Group) {
	if a.store == nil { // a scan
		return
	}
	cfg := a.opt.Config
	page := web.New(web.Options{
		Snapshot: a.Snapshot, Do: a.Do, Progress: a.Progress, PasswordFile: PagePasswordFile(cfg), Token: cfg.Web.Token,
		Dashboard: func(s *report.Snapshot) ([]byte, error) { return hass.Dashboard(dashboards.Home, s) }, Hosts: cfg.Web.Names(), Log: a.log.With("part", webHealth),
	})
	clear := cfg.Web.Listen != "" && !cfg.Web.Loopback() && cfg.Web.CertFile == ""
	e := fact.New(webHealth, a.now())
	fact.HubPageClear.Set(e, clear, "web.listen: "+cfg.Web.Listen)
	g.Go(func() error { a.report(ctx, webHealth, discovery.Observation{Facts: e}); return nil })
	if clear {
		a.log.Warn("the page is served to the network without encryption: who listens there can read the password; set web.cert_file and web.key_file", "listen", cfg.Web.Listen)
	}
	if cfg.Web.Listen != "" {
		g.Go(func() error { a.keepServing(ctx, webHealth, func() error { return a.serveOwn(ctx, page) }); return nil })
	}
	if a.opt.Supervisor != nil {
		g.Go(func() error {
			a.keepServing(ctx, ingressHealth, func() error { return a.serveIngress(ctx, page) })
			return nil
		})
	}
}

// keepServing serves until ctx is done, and again after a failure.
func (a *Agent) keepServing(ctx context.Context, part string, serve func() error) {
	last := ""
	for wait := time.Second; ctx.Err() == nil; wait = min(2*wait, time.Minute) {
		err := serve()
		if err == nil || ctx.Err() != nil {
			return
		}
		if last != err.Error() {
			last = err.Error()
			a.log.Warn("the page cannot be served; trying again", "part", part, "err", err)
			a.mail.setHealth(part, discovery.Down, fmt.Sprintf("The page cannot be served: %v.", err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// serveOwn serves the page at web.listen.
func (a *Agent) serveOwn(ctx context.Context, page *web.Page) error {
	cfg := a.opt.Config
	file := PagePasswordFile(cfg)
	if _, err := web.EnsurePassword(file); err != nil {
		return err
	}
	l, err := web.Listen(ctx, cfg.Web.Listen, cfg.Web.CertFile, cfg.Web.KeyFile)
	if err != nil {
		return err
	}
	scheme := "http"
	if cfg.Web.CertFile != "" {
		scheme = "https"
	}
	a.notice(fmt.Sprintf("The page is at %s. Changes need the password in %s.", cmp.Or(cfg.Web.URL, scheme+"://"+l.Addr().String()+"/"), file))
	a.mail.setHealth(webHealth, discovery.OK, "")
	return web.Serve(ctx, l, page.Handler(false), a.log.With("part", webHealth))
}

// serveIngress serves the page where the Supervisor expects it.
func (a *Agent) serveIngress(ctx context.Context, page *web.Page) error {
	self, err := a.opt.Supervisor.Self(ctx)
	if err != nil {
		return err
	}
	host := ""
	if self.HostNetwork {
		// All addresses would be those of the host, which the home network reaches.
		if !self.Address.IsValid() || self.Address.IsUnspecified() {
			return errors.New("the Supervisor names no address for it")
		}
		host = self.Address.String()
	}
	l, err := web.ListenIngress(ctx, net.JoinHostPort(host, strconv.Itoa(self.IngressPort)))
	if err != nil {
		return err
	}
	a.mail.setHealth(ingressHealth, discovery.OK, "")
	return web.Serve(ctx, l, page.Handler(true), a.log.With("part", ingressHealth))
}
