// Package zwavejs learns of Z-Wave devices from Z-Wave JS servers, by the
// WebSocket interface that Home Assistant uses too (port 3000, neither password
// nor encryption of its own).
//
// It reads what the server already knows; no query goes to a
// node and nothing is ever changed. Of the state only the fields that are needed
// are decoded: values, among which are door codes, never are. The protocol is
// that of zwave-js-server's README ("API schema"), seen with server 3.10.2 and
// schemas up to 50.
package zwavejs

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/internal/session"
	"github.com/thingwarden/thingwarden/discovery/internal/wsjson"
)

const (
	// Name is the name of the source.
	Name = "zwavejs"
	// DefaultURL is where Z-Wave JS listens on the hub itself.
	DefaultURL = "ws://127.0.0.1:3000"
)

// Config is the source's part of the configuration.
type Config struct {
	URLs []string `yaml:"urls" url:"ws,wss" app:"match(^wss?://[^@ ]+$)" jsonschema_description:"Addresses of Z-Wave JS servers, one for each Z-Wave network: ws:// or wss://. A server that you list must be reachable; an empty list turns the search off."`
	// Written means that the owner wrote the URLs: a server that is not there is
	// then a problem even at DefaultURL.
	Written bool `yaml:"-" written:"urls"`
}

// Kind is the entry of the list of all sources.
var Kind = discovery.SourceKind{
	Name: Name, Title: "Z-Wave JS",
	Doc:     "Z-Wave devices of Z-Wave JS servers; reads what the server knows and probes no device.",
	Rank:    discovery.RankBridge,
	Default: func() discovery.SourceConfig { return &Config{URLs: []string{DefaultURL}} },
}

// Validate implements discovery.SourceConfig.
func (*Config) Validate() error { return nil }

// New implements discovery.SourceConfig.
func (c *Config) New(env discovery.Env) (discovery.Source, error) {
	// No proxy of the environment's: the servers are in the home.
	return newSource(*c, env, wsjson.Transport())
}

func newSource(c Config, env discovery.Env, transport http.RoundTripper) (*source, error) {
	s := &source{env: env, owners: map[string]*network{}, http: wsjson.Client(transport), health: session.NewHealth(env.Health)}
	for _, raw := range c.URLs {
		u, err := url.Parse(raw)
		if err != nil || u.Scheme != "ws" && u.Scheme != "wss" || u.Hostname() == "" {
			return nil, fmt.Errorf("urls: %q is not of the form ws://host:port", redact(raw))
		}
		n := newNetwork(u)
		n.expected = c.Written || raw != DefaultURL
		s.networks = append(s.networks, n)
	}
	return s, nil
}

// redact leaves out what may hold a password or token.
func redact(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "…"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// source is one client for each server. The networks and everything about them
// belong to mu, also while report is called: observations come one at a time.
type source struct {
	env    discovery.Env
	http   *http.Client
	health *session.Health

	mu       sync.Mutex
	networks []*network
	owners   map[string]*network // by home id
}

// Run implements discovery.Source.
func (s *source) Run(ctx context.Context, report func(discovery.Observation)) error {
	s.mu.Lock()
	s.reportHealth()
	s.mu.Unlock()
	var wg sync.WaitGroup
	for _, n := range s.networks {
		wg.Go(func() { s.follow(ctx, n, report) })
	}
	<-ctx.Done()
	wg.Wait()
	return nil
}

// follow keeps a connection to one server until ctx is done.
func (s *source) follow(ctx context.Context, n *network, report func(discovery.Observation)) {
	send := func(observations []discovery.Observation) {
		for _, o := range observations {
			if ctx.Err() == nil {
				report(o)
			}
		}
	}
	connect := func(ctx context.Context) error {
		session.Count(s.env, n.url)
		return s.session(ctx, n, send)
	}
	session.Follow(ctx, connect, func(err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.log(n, err)
		n.err = err
		send(n.lose(s.env.Now()))
		s.reportHealth()
	})
}

// log logs changes: the first failure, and the loss of a connection.
func (s *source) log(n *network, err error) {
	switch {
	case n.connected:
		s.env.Log.Warn("connection to zwave-js lost", "url", n.name, "err", wsjson.Plain(err))
	case n.err == nil && !n.expected:
		s.env.Log.Info("no zwave-js found", "url", n.name)
	case n.err == nil:
		s.env.Log.Warn("zwave-js unreachable", "url", n.name, "err", wsjson.Plain(err))
	}
}

// reportHealth sums up all networks; mu is held.
func (s *source) reportHealth() {
	var down, degraded []string
	for _, n := range s.networks {
		switch {
		case n.err != nil && n.expected:
			down = append(down, fmt.Sprintf("Z-Wave JS at %s cannot be reached: %s", n.name, wsjson.Plain(n.err)))
		case n.err == nil && n.problem() != "":
			degraded = append(degraded, fmt.Sprintf("Z-Wave JS at %s: %s", n.name, n.problem()))
		}
	}
	status, problem := discovery.OK, ""
	switch {
	case len(down) == len(s.networks) && len(down) > 0:
		status = discovery.Down
	case len(down)+len(degraded) > 0:
		status = discovery.Degraded
	}
	if lines := append(down, degraded...); len(lines) > 0 {
		problem = strings.Join(lines, "; ") + "."
	}
	s.health.Set(status, problem)
}
