// Package ssdp is the source that listens to and asks SSDP, by which UPnP devices
// announce where they describe themselves (UPnP Device Architecture 1.1, section
// 1), on every IPv4 network that is looked at.
//
// Announcements come through github.com/koron/go-ssdp's Monitor. Searches are our
// own: that package's Search does not say who answered, and keeps every answer
// until it ends, so that a flood fills the memory. What a packet says counts
// only for the address that sent it, and only if the place that it names is at
// that address (threat T1 of the catalogue).
//
// It is not this package's job to read the descriptions: probe upnp does, with
// all limits that hold for questions to a device. SSDP over IPv6, which almost
// nobody speaks, is not heard.
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
	// searchEvery is how often devices are asked for, after the first rounds.
	searchEvery = 5 * time.Minute
)

// firstPauses are those between the first searches: packets get lost, in a flood
// those of several seconds.
var firstPauses = []time.Duration{time.Second, 3 * time.Second, 30 * time.Second}

// targets are what is searched for. Some devices answer only when asked for
// everything; that is done once.
var targets = []string{"upnp:rootdevice", upnp.GatewayType + "1", upnp.GatewayType + "2"}

const everything = "ssdp:all"

// Config is empty: which networks are looked at is Env.Networks. If nothing may
// be sent (Env.ListenOnly), devices are found when they announce themselves,
// which may take half an hour.
type Config struct{}

// Kind is the entry of the list of sources.
var Kind = discovery.SourceKind{
	Name: name, Title: "Announcements (SSDP)",
	Doc:     "SSDP (UPnP): listens to devices that announce where they describe themselves, and asks all of them, and Internet gateways in particular, to do so.",
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

// message is what a packet says of its sender.
type message struct {
	from     netip.Addr
	kind     string // the device or service that is announced or found
	location string // a URL, as sent
	server   string // SERVER header, as sent
}

// Run listens and asks until ctx is done.
func (s *source) Run(ctx context.Context, report func(discovery.Observation)) error {
	group, ctx := errgroup.WithContext(ctx)
	in := make(chan message, 256)
	rounds := make(chan int)
	r := newRegister(s.env, report)
	group.Go(func() error { return r.run(ctx, in, rounds) })
	group.Go(func() error { return s.watch(ctx, newGate(s.env, in), rounds) })
	return group.Wait()
}

// watch keeps the sockets on the networks that are looked at, and searches.
func (s *source) watch(ctx context.Context, g *gate, rounds chan<- int) error {
	ears := &listener{gate: g, env: s.env, flood: make(chan struct{}, 1)}
	defer ears.stop()
	asker := &searcher{gate: g, env: s.env, open: map[netip.Addr]*ipv4.PacketConn{}}
	defer asker.close()
	var now []discovery.Network
	round, next := 0, time.Now()
	for {
		if want := networks(s.env.Networks()); !slices.Equal(now, want) {
			now, round, next = want, 0, time.Now()
			ears.stop()
		}
		if ears.start(now) { // announcements were missed, and answers lost in the flood
			round, next = 0, time.Now()
		}
		wait := watchEvery
		if !s.env.ListenOnly {
			asker.sync(now)
			if !time.Now().Before(next) {
				asker.search(round)
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
		case <-ears.flood:
			ears.flooded()
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return nil
		}
	}
}

// networks returns the IPv4 networks that are looked at.
func networks(all discovery.Networks) (out []discovery.Network) {
	for _, w := range all.Looked {
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
