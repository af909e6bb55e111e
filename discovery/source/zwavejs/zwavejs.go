// Package zwavejs learns of Z-Wave devices from Z-Wave JS servers, by the
// WebSocket interface that Home Assistant uses too (port 3000, neither password
// nor encryption of its own).
//
// It asks the server for what the server already knows; no question goes to a
// node and nothing is ever changed. Of the state only the fields that are needed
// are decoded: values, among which are door codes, never are. The protocol is
// that of zwave-js-server's README ("API schema"), seen with server 3.10.2 and
// schemas up to 50.
package zwavejs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

const (
	// Name is the name of the source.
	Name = "zwavejs"
	// DefaultURL is where Z-Wave JS listens on the hub itself.
	DefaultURL = "ws://127.0.0.1:3000"
)

// Config is the source's part of the configuration.
type Config struct {
	URLs []string `yaml:"urls" url:"ws,wss" jsonschema_description:"Addresses of Z-Wave JS servers, one for each Z-Wave network: ws:// or wss://. Those that you write here must be there; none: look for none."`
	// Written means that the owner wrote the URLs: a server that is not there is
	// then a problem even at DefaultURL.
	Written bool `yaml:"-" written:"urls"`
}

// Kind is the entry of the list of all sources.
var Kind = discovery.SourceKind{
	Name: Name, Title: "Z-Wave JS",
	Doc:     "Z-Wave devices of Z-Wave JS servers; reads what the server knows and asks no device.",
	Rank:    discovery.RankBridge,
	Default: func() discovery.SourceConfig { return &Config{URLs: []string{DefaultURL}} },
}

// Validate implements discovery.SourceConfig.
func (*Config) Validate() error { return nil }

// New implements discovery.SourceConfig.
func (c *Config) New(env discovery.Env) (discovery.Source, error) {
	// No proxy of the environment's: the servers are in the home.
	return newSource(*c, env, &http.Transport{MaxResponseHeaderBytes: 16 << 10, DisableKeepAlives: true})
}

func newSource(c Config, env discovery.Env, transport http.RoundTripper) (*source, error) {
	s := &source{env: env, owners: map[string]*network{}, http: &http.Client{
		Transport: transport,
		// A server that sends us elsewhere is none of Z-Wave JS.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
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
	env  discovery.Env
	http *http.Client

	mu       sync.Mutex
	networks []*network
	owners   map[string]*network // by home id
	status   discovery.Status
	problem  string
}

// Run implements discovery.Source.
func (s *source) Run(ctx context.Context, report func(discovery.Observation)) error {
	s.mu.Lock()
	s.status = ""
	s.tellHealth()
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
	tell := func(observations []discovery.Observation) {
		for _, o := range observations {
			if ctx.Err() == nil {
				report(o)
			}
		}
	}
	for attempt := 0; ctx.Err() == nil; attempt++ {
		began := time.Now()
		s.count(n.url)
		err := s.session(ctx, n, tell)
		if ctx.Err() != nil {
			return
		}
		s.mu.Lock()
		s.log(n, err)
		n.err = err
		tell(n.lose(s.env.Now()))
		s.tellHealth()
		s.mu.Unlock()
		if time.Since(began) > discovery.MaxBackoff {
			attempt = 0
		}
		select {
		case <-ctx.Done():
		case <-time.After(discovery.Backoff(attempt, rand.Float64())):
		}
	}
}

// log tells of changes: the first failure, and the loss of a connection.
func (s *source) log(n *network, err error) {
	switch {
	case n.connected:
		s.env.Log.Warn("zwave-js lost", "url", n.name, "err", plain(err))
	case n.err == nil && !n.expected:
		s.env.Log.Info("no zwave-js found", "url", n.name)
	case n.err == nil:
		s.env.Log.Warn("zwave-js not reached", "url", n.name, "err", plain(err))
	}
}

// count tells that a connection is opened.
func (s *source) count(u *url.URL) {
	host := u.Hostname()
	if strings.EqualFold(host, "localhost") {
		host = "127.0.0.1"
	}
	addr, _ := netip.ParseAddr(host) // of another name the home is told
	s.env.Sent(addr, 0, 1)
}

// tellHealth sums up all networks; mu is held.
func (s *source) tellHealth() {
	var down, degraded []string
	for _, n := range s.networks {
		switch {
		case n.err != nil && n.expected:
			down = append(down, fmt.Sprintf("Z-Wave JS at %s cannot be reached: %s", n.name, plain(n.err)))
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
	if status != s.status || problem != s.problem {
		s.status, s.problem = status, problem
		s.env.Health(status, problem)
	}
}

// plain shortens an error to its cause.
func plain(err error) string {
	var op *net.OpError
	switch {
	case errors.Is(err, errSilent):
		err = errSilent
	case errors.Is(err, errLost):
		err = errLost
	case errors.As(err, &op):
		err = op.Err
	}
	return fact.Clean(err.Error(), 120)
}
