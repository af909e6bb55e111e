package agent

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/thingwarden/thingwarden/agent/broker"
	"github.com/thingwarden/thingwarden/agent/hass"
	"github.com/thingwarden/thingwarden/agent/home"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

// retryPublish is how long a publisher that failed waits for the next try.
const retryPublish = 5 * time.Second

// hassMemory is the key under which the state file keeps what hass remembers.
const hassMemory = "hass"

// outlets is how the agent speaks to the outside: the MQTT session, the
// embedded broker if there is one, and the publishers.
type outlets struct {
	a        *Agent
	embedded *broker.Embedded
	session  *broker.Session // nil without a broker
	pubs     []*outlet
	memory   map[string][]byte // owned by the loop
}

// publisher is a report.Publisher that works by itself between snapshots too.
type publisher interface {
	report.Publisher
	Run(ctx context.Context) error
}

// outlet is a publisher with the newest snapshot that it has not shown.
type outlet struct {
	name   string
	pub    publisher
	newest chan *report.Snapshot // holds at most one
}

// connect prepares the way to the broker; nothing is sent yet.
func (a *Agent) connect(dec *home.Decisions, st *home.State) error {
	a.outlets = &outlets{a: a, memory: map[string][]byte{}}
	if st != nil && st.Publisher != nil {
		a.outlets.memory = st.Publisher
	}
	cfg := a.opt.Config.MQTT
	bc := broker.Config{URL: cfg.URL, Username: cfg.Username, Password: cfg.Password}
	if a.opt.Mode == ModeScan {
		return a.connectToRead(bc)
	}
	switch {
	case cfg.URL != "":
	case a.opt.Supervisor != nil:
		bc.Find = findBroker(a.opt.Supervisor, cfg)
	default:
		if inContainer() {
			problem := "No MQTT broker is configured, so Home Assistant learns nothing: set mqtt.url, mqtt.username and mqtt.password."
			a.notice(problem)
			a.mail.setHealth("mqtt", discovery.Down, problem)
			return nil
		}
		if err := a.embed(&bc); err != nil {
			return err
		}
	}
	if err := setCA(&bc, cfg.CAFile); err != nil {
		return err
	}
	site := a.opt.Config.Site
	status := hass.StatusTopic(site)
	bc.ClientID = "thingwarden-" + site + "-" + dec.Install
	bc.Will = &broker.Message{Topic: status, Payload: []byte("offline"), QoS: 1, Retained: true}
	bc.Birth = &broker.Message{Topic: status, Payload: []byte("online"), QoS: 1, Retained: true}
	bc.SyncTopic = hass.SyncTopic(site)
	bc.OnProblem = func(string) { a.outlets.showBroker() }
	a.outlets.session = broker.New(bc, a.log.With("part", "mqtt"))
	a.outlets.addHass()
	return nil
}

// connectToRead makes the session of a scan: it reads what bridges say, has a
// name of its own and leaves no trace.
func (a *Agent) connectToRead(bc broker.Config) error {
	if bc.URL == "" {
		return nil
	}
	bc.ClientID = passingClientID("scan")
	bc.OnProblem = func(string) { a.outlets.showBroker() }
	if err := setCA(&bc, a.opt.Config.MQTT.CAFile); err != nil {
		return err
	}
	a.outlets.session = broker.New(bc, a.log.With("part", "mqtt"))
	return nil
}

// passingClientID is the client id of a session that is nobody's next time.
func passingClientID(purpose string) string {
	id := make([]byte, 6)
	rand.Read(id)
	return "thingwarden-" + purpose + "-" + hex.EncodeToString(id)
}

// embed starts our own broker for trying out.
func (a *Agent) embed(bc *broker.Config) error {
	e, err := broker.StartEmbedded(a.opt.Config.MQTT.Listen, filepath.Join(a.opt.Config.StateDir, "broker-credentials"), a.log.With("part", "broker"))
	if err != nil {
		return fmt.Errorf("starting the MQTT broker for trying out (or set mqtt.url to a broker of yours): %w", err)
	}
	a.outlets.embedded = e
	bc.URL, bc.Username, bc.Password = e.URL(), e.Username, e.Password
	a.notice(fmt.Sprintf("No MQTT broker is configured: a small one for trying out listens on %s. User name and password are in %s. "+
		"To use Home Assistant's broker instead, set mqtt.url, mqtt.username and mqtt.password.", e.Addr, e.Credentials))
	return nil
}

func setCA(bc *broker.Config, file string) error {
	if file == "" {
		return nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("mqtt.ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return fmt.Errorf("mqtt.ca_file: %q holds no certificate in PEM form", file)
	}
	bc.TLS = &tls.Config{RootCAs: pool}
	return nil
}

// addHass makes the publisher for Home Assistant.
func (o *outlets) addHass() {
	cfg := o.a.opt.Config
	var memory hass.Memory
	if b := o.memory[hassMemory]; b != nil {
		if err := json.Unmarshal(b, &memory); err != nil {
			o.a.log.Warn("what was published is not known any more", "err", err)
		}
	}
	pub := hass.New(session{o.session}, hass.Options{
		Site: cfg.Site, Prefix: cfg.MQTT.DiscoveryPrefix, BirthTopic: cfg.MQTT.BirthTopic,
		Command: o.a.Do, Memory: memory, Remember: o.rememberHass,
		Health: func(s discovery.Status, problem string) { o.a.mail.setHealth("publishing", s, problem) }, Log: o.a.log.With("part", "hass"), Now: o.a.now,
		Page: o.a.page(),
	})
	o.pubs = append(o.pubs, &outlet{name: "hass", pub: pub, newest: make(chan *report.Snapshot, 1)})
}

// rememberHass keeps what the publisher wants to remember.
func (o *outlets) rememberHass(m hass.Memory) {
	b, err := json.Marshal(m)
	if err != nil {
		o.a.log.Error("remembering what was published", "err", err)
		return
	}
	o.a.inputs <- input{then: func(home.Effects) {
		o.memory[hassMemory] = b
		o.a.loop.touched = true
	}}
}

// remember returns what the publishers remember. Only the loop calls it.
func (o *outlets) remember() map[string][]byte { return o.memory }

// mqtt returns the session as sources see it, nil if there is none.
func (o *outlets) mqtt() discovery.MQTT {
	if o.session == nil {
		return nil
	}
	return session{o.session}
}

// start runs the session and the publishers until ctx is done.
func (o *outlets) start(ctx context.Context, g *errgroup.Group) {
	if o.session == nil {
		return
	}
	_, cancel := o.session.Connected(func(bool) { o.showBroker() })
	o.showBroker()
	g.Go(func() error {
		defer cancel()
		// Publishers end first, so that what they send still finds a session.
		sctx, stop := context.WithCancel(context.WithoutCancel(ctx))
		defer stop()
		done := make(chan error, 1)
		go func() { done <- o.session.Run(sctx) }()
		o.publish(ctx)
		stop()
		err := <-done
		if o.embedded != nil {
			err = errors.Join(err, o.embedded.Close())
		}
		return err
	})
}

// showBroker shows in health whether the broker is there, and what is wrong.
func (o *outlets) showBroker() {
	up, problem := o.session.State()
	switch {
	case up && problem == "":
		o.a.mail.setHealth("mqtt", discovery.OK, "")
		return
	case problem == "":
		problem = "Not connected to the MQTT broker yet"
	}
	status := discovery.Down
	if up {
		status = discovery.Degraded
	}
	o.a.mail.setHealth("mqtt", status, strings.TrimSuffix(problem, ".")+".")
}

// publish runs all publishers until ctx is done.
func (o *outlets) publish(ctx context.Context) {
	var g errgroup.Group
	for _, p := range o.pubs {
		g.Go(func() error { return p.pub.Run(ctx) })
		g.Go(func() error { p.run(ctx, o.a); return nil })
	}
	_ = g.Wait()
	<-ctx.Done()
}

// offer gives the newest snapshot to every publisher; it never waits.
func (o *outlets) offer(s *report.Snapshot) {
	for _, p := range o.pubs {
		select {
		case <-p.newest: // an older one that nobody will miss
		default:
		}
		p.newest <- s
	}
}

// run shows snapshots as they come. What can't be shown is tried again, or given
// up for a newer one.
func (p *outlet) run(ctx context.Context, a *Agent) {
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
		if err := p.pub.Publish(ctx, s); err != nil && ctx.Err() == nil {
			a.log.Debug("not published", "publisher", p.name, "err", err)
			retry = time.After(retryPublish)
		}
	}
}

// session makes the broker's session fit what sources and hass want of one.
type session struct{ s *broker.Session }

func (m session) Subscribe(filter string, qos byte, fn func(discovery.Message)) func() {
	limit := broker.MaxPayload
	if strings.HasSuffix(filter, "/bridge/devices") {
		limit = broker.MaxLargePayload
	}
	return m.s.SubscribeMax(filter, qos, limit, func(msg broker.Message) {
		fn(discovery.Message{Topic: msg.Topic, Payload: msg.Payload, Retained: msg.Retained})
	})
}

func (m session) Connected(fn func(bool)) (bool, func()) { return m.s.Connected(fn) }

func (m session) Sync(ctx context.Context) error { return m.s.Sync(ctx) }

func (m session) Publish(ctx context.Context, ms ...discovery.Message) error {
	out := make([]broker.Message, len(ms))
	for i, msg := range ms {
		out[i] = broker.Message{Topic: msg.Topic, Payload: msg.Payload, QoS: 1, Retained: msg.Retained}
	}
	return m.s.Publish(ctx, out...)
}

// inContainer reports whether the agent runs as a container, where a broker of
// our own could be reached by nobody: our image and Podman set this variable.
// A marker such as /.dockerenv would also say so of a shell in a development
// container, where somebody is trying us out.
func inContainer() bool { return os.Getenv("container") != "" }
