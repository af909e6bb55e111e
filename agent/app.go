package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/thingwarden/thingwarden/agent/broker"
	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/agent/supervisor"
	"github.com/thingwarden/thingwarden/agent/web"
	"github.com/thingwarden/thingwarden/discovery"
)

// webHealth is the component of health that stands for the page.
const webHealth = "web"

// findBroker asks the Supervisor for Home Assistant's broker. A user name that
// the owner set wins.
func findBroker(c *supervisor.Client, cfg config.MQTT) func(context.Context) (broker.Address, error) {
	return func(ctx context.Context) (broker.Address, error) {
		b, err := c.Broker(ctx)
		if cfg.Username != "" {
			b.Username, b.Password = cfg.Username, cfg.Password
		}
		return broker.Address(b), err
	}
}

// startPage shows the page in Home Assistant while ctx is not done; what is wrong
// with it shows in health and ends nothing else.
func (a *Agent) startPage(ctx context.Context, g *errgroup.Group) {
	if a.opt.Supervisor == nil {
		return
	}
	g.Go(func() error {
		said := ""
		for wait := time.Second; ctx.Err() == nil; wait = min(2*wait, time.Minute) {
			err := a.servePage(ctx)
			if err == nil || ctx.Err() != nil {
				break
			}
			if said != err.Error() {
				said = err.Error()
				a.log.Warn("the page in Home Assistant can't be shown; trying again", "err", err)
				a.mail.setHealth(webHealth, discovery.Down, fmt.Sprintf("The page can't be shown: %v.", err))
			}
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
		}
		return nil
	})
}

// page is where Home Assistant shows the page; empty if nowhere. It must be known
// before Home Assistant is told of our device: a configuration that changes a
// moment later brings back every entity that the owner deleted.
func (a *Agent) page() string {
	if a.opt.Supervisor == nil {
		return ""
	}
	self, err := a.opt.Supervisor.Self(context.Background()) // has a timeout
	if err != nil {
		a.log.Warn("no link to the page in Home Assistant", "err", err)
		return ""
	}
	return "homeassistant://app/" + self.Slug
}

func (a *Agent) servePage(ctx context.Context) error {
	self, err := a.opt.Supervisor.Self(ctx)
	if err != nil {
		return err
	}
	host := ""
	if self.HostNetwork {
		// All addresses would be those of the host: the home network could knock.
		if !self.Address.IsValid() || self.Address.IsUnspecified() {
			return errors.New("the Supervisor names no address for it")
		}
		host = self.Address.String()
	}
	l, err := web.Listen(ctx, net.JoinHostPort(host, strconv.Itoa(self.IngressPort)))
	if err != nil {
		return err
	}
	a.mail.setHealth(webHealth, discovery.OK, "")
	log := a.log.With("part", webHealth)
	return web.Serve(ctx, l, web.New(a.Snapshot, log), log)
}
