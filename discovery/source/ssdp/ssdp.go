// Package ssdp is the source that listens to and searches by SSDP, with which UPnP
// devices announce the location of their description (UPnP Device Architecture
// 1.1, section 1), on every watched IPv4 network.
//
// Announcements come through github.com/koron/go-ssdp's Monitor. Searches are our
// own: that package's Search does not reveal the sender of an answer, and keeps
// every answer until it ends, so that a flood fills the memory. A packet counts
// only for the address that sent it, and only if the location that it names is at
// that address (threat T1 of the catalogue).
//
// It is not this package's job to read the descriptions: probe upnp does, with
// all limits of probes. SSDP over IPv6, which very few devices use, is not
// supported. It does not use package delta: it compares what it heard, before an
// observation is made of it, and retracts nothing.
package ssdp

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sync/errgroup"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/internal/upnp"
)

// name is the source's name, under which its facts stand.
const name = "ssdp"

const (
	// watchEvery is how often the networks are compared with the open sockets.
	watchEvery = 2 * time.Second
	// searchEvery is the time between searches, after the first rounds.
	searchEvery = 5 * time.Minute
)

// firstPauses are those between the first searches: packets get lost, in a flood
// those of several seconds.
var firstPauses = []time.Duration{time.Second, 3 * time.Second, 30 * time.Second}

// targets are the search targets. Some devices answer only a search for everything;
// that is done once.
var targets = []string{"upnp:rootdevice", upnp.GatewayType + "1", upnp.GatewayType + "2"}

const searchAll = "ssdp:all"

// Config is empty: Env.Networks returns the networks to watch. If nothing may
// be sent (Env.ListenOnly), devices are found when they announce themselves,
// which may take half an hour.
type Config struct{}

// Kind is the entry of the list of sources.
var Kind = discovery.SourceKind{
	Name: name, Title: "Announcements (SSDP)",
	Doc:     "SSDP (UPnP): listens to devices that announce the location of their description, and searches for all of them, and for Internet gateways in particular.",
	Rank:    discovery.RankAnnounced,
	Default: func() discovery.SourceConfig { return &Config{} },
}

// Validate implements discovery.SourceConfig.
func (*Config) Validate() error { return nil }

// New implements discovery.SourceConfig.
func (*Config) New(env discovery.Env) (discovery.Source, error) { return &source{env: env}, nil }

type source struct {
	env discovery.Env
}

// message is what a packet reports about its sender.
type message struct {
	from     netip.Addr
	kind     string // the device or service that is announced or found
	location string // a URL, as sent
	server   string // SERVER header, as sent
}

// Run listens and searches until ctx is done.
func (s *source) Run(ctx context.Context, report func(discovery.Observation)) error {
	group, ctx := errgroup.WithContext(ctx)
	in := make(chan message, 256)
	rounds := make(chan int)
	r := newRegister(s.env, report)
	group.Go(func() error { return r.run(ctx, in, rounds) })
	group.Go(func() error { return s.watch(ctx, newGate(s.env, in), rounds) })
	return group.Wait()
}

// watch keeps the sockets on the watched networks, and searches.
func (s *source) watch(ctx context.Context, g *gate, rounds chan<- int) error {
	listen := &listener{gate: g, env: s.env, flood: make(chan struct{}, 1)}
	defer listen.stop()
	search := &searcher{gate: g, env: s.env, open: map[netip.Addr]*ipv4.PacketConn{}}
	defer search.close()
	var now []discovery.Network
	round, next := 0, time.Now()
	for {
		if want := networks(s.env.Networks()); !slices.Equal(now, want) {
			now, round, next = want, 0, time.Now()
			listen.stop()
		}
		if listen.start(now) { // announcements were missed, and answers lost in the flood
			round, next = 0, time.Now()
		}
		wait := watchEvery
		if !s.env.ListenOnly {
			search.sync(now)
			if !time.Now().Before(next) {
				search.search(round)
				round++
				next = time.Now().Add(pauseAfter(round))
				select {
				case rounds <- round:
				case <-ctx.Done():
					return nil
				}
			}
			wait = min(wait, time.Until(next))
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-listen.flood:
			listen.flooded()
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return nil
		}
	}
}

// networks returns the watched IPv4 networks.
func networks(all discovery.Networks) (out []discovery.Network) {
	for _, w := range all.Watched {
		if w.Prefix.Addr().Is4() {
			out = append(out, w)
		}
	}
	return out
}

// pauseAfter is how long to wait after so many searches.
func pauseAfter(rounds int) time.Duration {
	if rounds <= len(firstPauses) {
		return firstPauses[rounds-1]
	}
	return searchEvery
}
