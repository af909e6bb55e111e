// Package homeassistant learns from Home Assistant itself what it sees of the
// home: the devices that got an address (DHCP), that announce themselves (DNS-SD,
// SSDP), the registries of devices and areas, and which firmware waits. It is how
// an app without a way to the home's network sees the home at all.
//
// Home Assistant's token may do everything; commands.go lists the few reading
// commands that are ever sent, each as a fixed text. What comes back is text of
// devices and believed no more than if they had sent it here: an announcement
// counts for the address that sent it, and where Home Assistant does not reveal
// that address, only as a hint where to probe. Our own devices, which Home
// Assistant has from us by MQTT, are left out.
//
// It is not this package's job to read what MQTT discovery shows of us (package
// hass does), to control or change anything in Home Assistant, or to probe devices.
// The protocol is that of developers.home-assistant.io, docs/api/websocket, and
// of homeassistant/components/{dhcp,zeroconf,ssdp,network}/websocket*.py, seen
// with Home Assistant 2026.11.0.
package homeassistant

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/internal/session"
	"github.com/thingwarden/thingwarden/discovery/internal/wsjson"
)

// Name is the name of the source.
const Name = "homeassistant"

// Config is the source's part of the configuration.
type Config struct {
	URL string `yaml:"url" url:"http,https" jsonschema_description:"Address of Home Assistant, such as http://homeassistant.local:8123. Not needed in the app."`
	// Token is sent to URL and nowhere else, and never logged.
	Token     string `yaml:"token" secret:"true" jsonschema_description:"Long-lived access token of an administrator of Home Assistant (your profile, Security). Better: token_file."`
	TokenFile string `yaml:"token_file" holds:"token" jsonschema_description:"File that holds the token and nothing else."`
}

// Kind is the entry of the list of all sources.
var Kind = discovery.SourceKind{
	Name: Name, Title: "Home Assistant",
	Doc:  "Home Assistant: reads which devices it sees on the network, its registries of devices and areas, and which firmware waits; changes nothing there and probes no device.",
	Rank: discovery.RankRegistry, Role: discovery.Hearsay,
	Default: func() discovery.SourceConfig { return &Config{} },
}

// Validate implements discovery.SourceConfig.
func (c *Config) Validate() error {
	switch {
	case strings.ContainsFunc(c.Token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return discovery.Wrong("token", "a token has neither spaces nor line breaks; copy it once more")
	case c.URL != "" && c.Token == "":
		return discovery.Wrong("url", "the token is missing; make one in Home Assistant (your profile, Security, long-lived access tokens)")
	case c.URL == "" && c.Token != "":
		return discovery.Wrong("token", "the address of Home Assistant is missing: set url too")
	}
	return nil
}

// SetUp implements discovery.Optional.
func (c *Config) SetUp(env discovery.Env) bool { return c.URL != "" || env.Supervisor != nil }

// New implements discovery.SourceConfig.
func (c *Config) New(env discovery.Env) (discovery.Source, error) {
	// No proxy of the environment's: the token must go to no other machine.
	return newSource(*c, env, wsjson.Transport())
}

func newSource(c Config, env discovery.Env, transport http.RoundTripper) (*source, error) {
	if c.URL == "" && env.Supervisor != nil {
		c.URL, c.Token = env.Supervisor()
	}
	s := &source{env: env, token: c.Token, http: wsjson.Client(transport), health: session.NewHealth(env.Health)}
	if c.URL == "" {
		return s, nil
	}
	u, err := socketURL(c.URL)
	if err != nil {
		return nil, err
	}
	s.url = u
	return s, nil
}

// socketURL returns the address of the WebSocket.
func socketURL(raw string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(raw, "/"))
	if err != nil || u.Hostname() == "" || u.User != nil {
		return nil, fmt.Errorf("url: want an address such as %q", "http://homeassistant.local:8123")
	}
	switch u.Scheme {
	case "http", "https":
		u.Scheme = "ws" + strings.TrimPrefix(u.Scheme, "http")
		u.Path = strings.TrimRight(u.Path, "/") + "/api/websocket"
	case "ws", "wss":
	default:
		return nil, fmt.Errorf("url: %q is not of the form http://host:port", u.Scheme+"://"+u.Host)
	}
	u.RawQuery, u.Fragment = "", ""
	return u, nil
}

type source struct {
	env    discovery.Env
	url    *url.URL // nil: not configured
	token  string
	http   *http.Client
	health *session.Health
}

// Run implements discovery.Source. While the connection is lost, the facts stay,
// but for those that change by the minute, which become unknown.
func (s *source) Run(ctx context.Context, report func(discovery.Observation)) error {
	if s.url == nil {
		s.health.Set(discovery.OK, "Not configured. Set sources.homeassistant.url and token to use Home Assistant's device list.")
		<-ctx.Done()
		return nil
	}
	t := newReporter(s.env, report)
	connect := func(ctx context.Context) error {
		session.Count(s.env, s.url)
		return s.session(ctx, t)
	}
	session.Follow(ctx, connect, func(err error) {
		t.lost(ctx)
		if s.health.Status() != discovery.Down {
			s.env.Log.Warn("connection to Home Assistant failed", "url", s.url.String(), "err", wsjson.Plain(err, errRefused))
		}
		s.health.Set(discovery.Down, problemOf(err))
	})
	return nil
}

// problemOf is what the owner reads when there is no session.
func problemOf(err error) string {
	if errors.Is(err, errRefused) {
		return "Home Assistant does not accept the token, so its device list is not used. Make a new long-lived access token of an administrator (your profile, Security) and set it under sources.homeassistant.token."
	}
	return fmt.Sprintf("Home Assistant cannot be reached (%s), so its device list is not up to date.", wsjson.Plain(err, errRefused))
}
