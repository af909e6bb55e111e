package agent

import (
	"context"
	"errors"
	"net"
	"strconv"

	"github.com/thingwarden/thingwarden/agent/broker"
	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/agent/supervisor"
)

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

// pageInHomeAssistant is where Home Assistant shows the page; empty if nowhere. It must be known
// before Home Assistant is told of our device: a configuration that changes a
// moment later brings back every entity that the owner deleted.
func (a *Agent) pageInHomeAssistant() string {
	if a.opt.Supervisor == nil {
		return a.opt.Config.Web.URL
	}
	self, err := a.opt.Supervisor.Self(context.Background()) // has a timeout
	if err != nil {
		a.log.Warn("no link to the page in Home Assistant", "err", err)
		return ""
	}
	return "homeassistant://app/" + self.Slug
}

// ingress returns what finds out where Home Assistant expects the page; nil outside
// its app.
func (a *Agent) ingress() func(context.Context) (string, error) {
	if a.opt.Supervisor == nil {
		return nil
	}
	return func(ctx context.Context) (string, error) {
		self, err := a.opt.Supervisor.Self(ctx)
		if err != nil {
			return "", err
		}
		host := ""
		if self.HostNetwork {
			// All addresses would be those of the host, which the home network reaches.
			if !self.Address.IsValid() || self.Address.IsUnspecified() {
				return "", errors.New("the Supervisor names no address for it")
			}
			host = self.Address.String()
		}
		return net.JoinHostPort(host, strconv.Itoa(self.IngressPort)), nil
	}
}
