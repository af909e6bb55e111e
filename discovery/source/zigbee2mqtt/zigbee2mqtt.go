// Package zigbee2mqtt learns of Zigbee devices from every Zigbee2MQTT on the
// broker, whatever its base topic.
//
// It only subscribes: nothing is ever published, no device is probed, and of the
// messages only the fields that are needed are decoded (bridge/info holds the
// configuration, bridge/devices options with codes). The topics are those of
// Zigbee2MQTT's documentation, "MQTT topics and messages", seen with versions
// 1.x and 2.14.
//
// Anyone who may publish on the broker can forge these topics. Their content is
// a claim: a message that cannot be read changes nothing, and nothing is done
// because of one.
package zigbee2mqtt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/internal/session"
)

// Name is the name of the source.
const Name = "zigbee2mqtt"

// Config is the source's part of the configuration.
type Config struct {
	BaseTopics []string `yaml:"base_topics" jsonschema_description:"Base topics with more than two levels, such as home/upstairs/zigbee; those with one or two levels are found by themselves."`
}

// Kind is the entry of the list of all sources.
var Kind = discovery.SourceKind{
	Name: Name, Title: "Zigbee2MQTT",
	Doc:     "Zigbee devices of every Zigbee2MQTT on the broker; listens to its topics and never publishes.",
	Rank:    discovery.RankBridge,
	Default: func() discovery.SourceConfig { return &Config{} },
}

// Validate implements discovery.SourceConfig.
func (c *Config) Validate() error {
	var errs []error
	for i, base := range c.BaseTopics {
		if base == "" || len(base) > maxName || strings.ContainsAny(base, "+#\x00") || strings.HasSuffix(base, "/") {
			errs = append(errs, discovery.Wrong(fmt.Sprintf("base_topics[%d]", i), "%q is not a topic", base))
		}
	}
	return errors.Join(errs...)
}

// New implements discovery.SourceConfig.
func (c *Config) New(env discovery.Env) (discovery.Source, error) {
	return &source{cfg: *c, env: env}, nil
}

type source struct {
	cfg Config
	env discovery.Env
}

// Run implements discovery.Source.
func (s *source) Run(ctx context.Context, report func(discovery.Observation)) error {
	if s.env.MQTT == nil {
		s.env.Health(discovery.Degraded, "No MQTT broker is configured, so Thingwarden cannot see Zigbee devices.")
		<-ctx.Done()
		return nil
	}
	r := &run{source: s, home: newHome(s.env.Now()), report: report, inbox: newInbox(), filters: map[string]func(){}, health: session.NewHealth(s.env.Health)}
	defer r.unsubscribe()
	return r.loop(ctx)
}

// run is one run of the source. Its loop owns everything but the inbox.
type run struct {
	*source
	home    *home
	report  func(discovery.Observation)
	inbox   *inbox
	filters map[string]func() // cancel by filter
	health  *session.Health
}

func (r *run) loop(ctx context.Context) error {
	now, cancel := r.env.MQTT.Connected(func(up bool) { r.inbox.put(item{link: true, up: up}) })
	defer cancel()
	r.home.up = now
	r.subscribe("", "+/bridge/info")
	r.subscribe("", "+/+/bridge/info")
	for _, base := range r.cfg.BaseTopics {
		r.subscribe("", base+"/bridge/info")
	}
	timer := time.NewTimer(refresh)
	defer timer.Stop()
	for {
		r.reportHealth()
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			r.send(ctx, r.home.tick(r.env.Now()))
		case <-r.inbox.ready:
			items, err := r.inbox.take()
			if err != nil {
				return err
			}
			for _, i := range items {
				r.handle(ctx, i)
			}
		}
		now := r.env.Now()
		timer.Reset(max(r.home.next(now).Sub(now), 0))
	}
}

func (r *run) handle(ctx context.Context, i item) {
	now := r.env.Now()
	if i.link {
		if i.up != r.home.up {
			r.send(ctx, r.home.broker(i.up, now))
		}
		return
	}
	b := r.home.bridge(i.base)
	if b == nil {
		b = r.discover(i.msg)
	}
	if b == nil {
		return
	}
	offline := b.offline()
	r.send(ctx, r.home.message(b, i.msg, now))
	if b.offline() != offline {
		r.env.Log.Info("zigbee2mqtt changed state", "base", b.base, "online", !b.offline())
	}
	if strings.HasSuffix(i.msg.Topic, "/bridge/devices") {
		r.subscribeNames(b)
	}
}

// discover returns the instance that a message on bridge/info shows, new or known.
func (r *run) discover(m discovery.Message) *bridge {
	if b := r.home.bridge(strings.TrimSuffix(m.Topic, "/bridge/info")); b != nil {
		return b
	}
	b, ok := r.home.found(m)
	if !ok {
		return nil
	}
	r.env.Log.Info("zigbee2mqtt found", "base", b.base)
	for _, topic := range []string{"bridge/state", "bridge/devices", "bridge/event", "+/availability", "+"} {
		r.subscribe(b.base, b.base+"/"+topic)
	}
	return b
}

// subscribeNames subscribes to the topics of devices whose friendly name has a
// slash, which "+" does not match.
func (r *run) subscribeNames(b *bridge) {
	for _, m := range b.members {
		if !strings.Contains(m.Name, "/") || strings.ContainsAny(m.Name, "+#\x00") || strings.HasPrefix(m.Name, "bridge/") ||
			len(r.filters) > 2*maxMembers {
			continue
		}
		r.subscribe(b.base, b.base+"/"+m.Name)
		r.subscribe(b.base, b.base+"/"+m.Name+"/availability")
	}
}

func (r *run) subscribe(base, filter string) {
	if r.filters[filter] != nil {
		return
	}
	r.filters[filter] = r.env.MQTT.Subscribe(filter, 1, func(m discovery.Message) {
		r.inbox.put(item{base: base, msg: m})
	})
}

func (r *run) unsubscribe() {
	for _, cancel := range r.filters {
		cancel()
	}
}

func (r *run) send(ctx context.Context, observations []discovery.Observation) {
	for _, o := range observations {
		if ctx.Err() != nil {
			return
		}
		r.report(o)
	}
}

func (r *run) reportHealth() {
	r.health.Set(r.home.health())
}

// item is a message for an instance (base is empty while it is not known), or a
// change of the connection to the broker.
type item struct {
	base string
	msg  discovery.Message
	link bool
	up   bool
}

// inbox takes messages without ever blocking the MQTT session.
type inbox struct {
	ready chan struct{} // has a token while there are items

	mu    sync.Mutex
	items []item
	bytes int
	full  bool
}

const (
	maxItems = 8192
	maxBytes = 32 << 20
)

func newInbox() *inbox { return &inbox{ready: make(chan struct{}, 1)} }

func (b *inbox) put(i item) {
	b.mu.Lock()
	if len(b.items) >= maxItems || b.bytes+len(i.msg.Payload) > maxBytes {
		b.full = true
	} else {
		b.items = append(b.items, i)
		b.bytes += len(i.msg.Payload)
	}
	b.mu.Unlock()
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// take returns what has come in. An error means that messages were lost: the
// source then starts anew, and the broker sends the retained ones again.
func (b *inbox) take() ([]item, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	items := b.items
	b.items, b.bytes = nil, 0
	if b.full {
		return nil, errors.New("more messages on Zigbee2MQTT's topics than can be read")
	}
	return items, nil
}
