// Package mdns is the source that listens to and queries multicast DNS and DNS
// service discovery (RFC 6762, RFC 6763) on every watched network.
//
// A continuous browser of our own keeps what hosts announce for its time to live.
// A packet counts only for the address that sent it (threat T12 of the catalogue):
// caches are kept per sender and emptied when its address gets another owner, and
// a host whose address records name another machine is not believed. Package
// github.com/hashicorp/mdns queries once more, by unicast answer, a service that a
// host names and does not describe, and announces Thingwarden itself if the owner
// wants that. It drops an answer whole for one bad record, so a host that it does not
// hear is queried without it, too.
//
// It is not this package's job to resolve names for other programs, to connect to
// what it finds, or to judge it.
package mdns

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/thingwarden/thingwarden/discovery"
)

// name is the source's name, under which its facts stand.
const name = "mdns"

// watchEvery is how often the list of networks is compared with the open sockets.
const watchEvery = 2 * time.Second

// Config is what the owner can set.
type Config struct {
	// Advertise is off by default: it makes the hub answer others.
	Advertise bool `yaml:"advertise" jsonschema_description:"Announce Thingwarden's own page on the network, as a service of type _http._tcp."`
}

// Kind is the entry of the list of sources.
var Kind = discovery.SourceKind{
	Name: name, Title: "Announcements (mDNS)",
	Doc:  "Multicast DNS: listens to what devices announce (names, services, HomeKit, Matter) and queries all of them at once for the services they offer.",
	Rank: discovery.RankAnnounced, Role: discovery.NamesMachines,
	Default: func() discovery.SourceConfig { return &Config{} },
}

// Validate implements discovery.SourceConfig.
func (*Config) Validate() error { return nil }

// New implements discovery.SourceConfig.
func (c *Config) New(env discovery.Env) (discovery.Source, error) {
	return &source{cfg: *c, env: env}, nil
}

type source struct {
	cfg Config
	env discovery.Env
}

// linkID names a link: multicast DNS of one address family on one interface.
// IPv4 and IPv6 are links of their own (RFC 6762 section 20).
type linkID struct {
	index int
	v6    bool
}

// linkInfo is a link with the addresses needed to judge senders.
type linkInfo struct {
	linkID
	iface    string
	prefixes []netip.Prefix
	own      []netip.Addr
}

func (l linkInfo) equal(o linkInfo) bool {
	return l.linkID == o.linkID && l.iface == o.iface &&
		slices.Equal(l.prefixes, o.prefixes) && slices.Equal(l.own, o.own)
}

func (l linkInfo) onLink(a netip.Addr) bool {
	return slices.ContainsFunc(l.prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// links groups the watched networks by interface and family.
func links(n discovery.Networks) map[linkID]linkInfo {
	out := map[linkID]linkInfo{}
	for _, w := range n.Watched {
		id := linkID{w.Index, w.Prefix.Addr().Is6()}
		l := out[id]
		l.linkID, l.iface = id, w.Interface
		if !slices.Contains(l.prefixes, w.Prefix) {
			l.prefixes = append(l.prefixes, w.Prefix)
		}
		l.own = append(l.own, w.Own.WithZone(""))
		out[id] = l
	}
	for _, l := range out {
		slices.SortFunc(l.prefixes, netip.Prefix.Compare)
		slices.SortFunc(l.own, netip.Addr.Compare)
	}
	return out
}

// packet is a datagram as it came in on a link.
type packet struct {
	link linkID
	from netip.AddrPort
	data []byte
}

// inbox carries every event of the browser but the passing of time.
type inbox struct {
	packets chan packet
	links   chan map[linkID]linkInfo
	hints   chan hint
}

func newInbox() inbox {
	return inbox{make(chan packet, 256), make(chan map[linkID]linkInfo), make(chan hint, 1)}
}

// Run browses until ctx is done.
func (s *source) Run(ctx context.Context, report func(discovery.Observation)) error {
	in := newInbox()
	socks := newSockets(in.packets, s.env)
	q := newQuerier(s.env, socks, in.hints)
	b := newBrowser(s.env, socks.send, q.request, report)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return b.run(ctx, in) })
	group.Go(func() error { return q.run(ctx) })
	group.Go(func() error { return s.watch(ctx, socks, in) })
	return group.Wait()
}

// watch keeps one socket open on each watched link.
func (s *source) watch(ctx context.Context, socks *sockets, in inbox) error {
	defer socks.close()
	ads := newAdvertiser(s.env)
	defer ads.close()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		open := socks.sync(links(s.env.Networks()))
		if s.cfg.Advertise {
			ads.sync(open)
		}
		select {
		case in.links <- open:
		case <-ctx.Done():
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
