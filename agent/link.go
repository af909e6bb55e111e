package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/thingwarden/thingwarden/agent/broker"
	"github.com/thingwarden/thingwarden/agent/hass"
	"github.com/thingwarden/thingwarden/agent/home"
	"github.com/thingwarden/thingwarden/discovery"
)

// link is the way to the MQTT broker: the session, and the embedded broker if there
// is one.
type link struct {
	embedded *broker.Embedded
	session  *broker.Session // nil without a broker
}

// mqtt returns the session as sources see it, nil if there is none.
func (l link) mqtt() discovery.MQTT {
	if l.session == nil {
		return nil
	}
	return broker.MQTT{S: l.session}
}

// connect prepares the way to the broker; nothing is sent yet.
func (a *Agent) connect(dec *home.Decisions) error {
	cfg := a.opt.Config.MQTT
	bc := broker.Config{URL: cfg.URL, Username: cfg.Username, Password: cfg.Password, OnProblem: func(string) { a.showBroker() }}
	scan := a.opt.Mode == ModeScan
	switch {
	case cfg.URL != "":
	case scan:
		return nil
	case a.opt.Supervisor != nil:
		bc.Find = findBroker(a.opt.Supervisor, cfg)
	case inContainer():
		problem := "No MQTT broker is configured, so Home Assistant learns nothing: set mqtt.url, mqtt.username and mqtt.password."
		a.notice(problem)
		a.mail.setHealth("mqtt", discovery.Down, problem)
		return nil
	default:
		if err := a.embed(&bc); err != nil {
			return err
		}
	}
	var err error
	if bc.TLS, err = broker.TrustCA(cfg.CAFile); err != nil {
		return fmt.Errorf("mqtt.ca_file: %w", err)
	}
	if scan { // it reads what bridges say, has a name of its own and leaves no trace
		bc.ClientID = broker.PassingClientID("scan")
	} else {
		site := a.opt.Config.Site
		status := hass.StatusTopic(site)
		bc.ClientID = "thingwarden-" + site + "-" + dec.Install
		bc.Will = &broker.Message{Topic: status, Payload: []byte(hass.Offline), QoS: 1, Retained: true}
		bc.Birth = &broker.Message{Topic: status, Payload: []byte(hass.Online), QoS: 1, Retained: true}
		bc.SyncTopic = hass.SyncTopic(site)
	}
	a.link.session = broker.New(bc, a.log.With("part", "mqtt"))
	return nil
}

// embed starts our own broker for trying out.
func (a *Agent) embed(bc *broker.Config) error {
	e, err := broker.StartEmbedded(a.opt.Config.MQTT.Listen, filepath.Join(a.opt.Config.StateDir, "broker-credentials"), a.log.With("part", "broker"))
	if err != nil {
		return fmt.Errorf("starting the MQTT broker for trying out (or set mqtt.url to a broker of yours): %w", err)
	}
	a.link.embedded = e
	bc.URL, bc.Username, bc.Password = e.URL(), e.Username, e.Password
	a.notice(fmt.Sprintf("No MQTT broker is configured: a small one for trying out listens on %s. User name and password are in %s. "+
		"To use Home Assistant's broker instead, set mqtt.url, mqtt.username and mqtt.password.", e.Addr, e.Credentials))
	return nil
}

// startOutside runs the publishers and the session until ctx is done.
func (a *Agent) startOutside(ctx context.Context, g *errgroup.Group) {
	g.Go(func() error {
		if a.link.session == nil {
			a.publish(ctx)
			return nil
		}
		_, cancel := a.link.session.Connected(func(bool) { a.showBroker() })
		defer cancel()
		a.showBroker()
		// Publishers end first, so that what they send still finds a session.
		sctx, stop := context.WithCancel(context.WithoutCancel(ctx))
		defer stop()
		done := make(chan error, 1)
		go func() { done <- a.link.session.Run(sctx) }()
		a.publish(ctx)
		stop()
		err := <-done
		if a.link.embedded != nil {
			err = errors.Join(err, a.link.embedded.Close())
		}
		return err
	})
}

// showBroker shows in health whether the broker is there, and what is wrong.
func (a *Agent) showBroker() {
	up, problem := a.link.session.State()
	switch {
	case up && problem == "":
		a.mail.setHealth("mqtt", discovery.OK, "")
		return
	case problem == "":
		problem = "Not connected to the MQTT broker yet"
	}
	status := discovery.Down
	if up {
		status = discovery.Degraded
	}
	a.mail.setHealth("mqtt", status, strings.TrimSuffix(problem, ".")+".")
}

// inContainer reports whether the agent runs as a container, where a broker of
// our own could be reached by nobody: our image and Podman set this variable.
// A marker such as /.dockerenv would also say so of a shell in a development
// container, where somebody is trying us out.
func inContainer() bool { return os.Getenv("container") != "" }
