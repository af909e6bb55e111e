package mdns

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/hashicorp/mdns"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/internal/dnssd"
)

const (
	queryTimeout = 500 * time.Millisecond
	queryPause   = 30 * time.Second
	// queryLimit is how many datagrams may come in while a query is out. The library
	// sends one for each that it does not understand, so a flood must not make it
	// send without end (500 ms at most, and this many).
	queryLimit = 100
	// ownPort is that of Thingwarden's page.
	ownPort = 8099
)

// target is a service type of which a host has shown no instance.
type target struct {
	host  hostKey
	iface string
	typ   string // "_http._tcp.local."
}

// hint is the result of querying a target.
type hint struct {
	host      hostKey
	instances []string
}

// querier sends single queries from an ephemeral port, which responders answer by
// unicast: that gets through where Wi-Fi loses multicast. It never makes facts,
// since the library does not reveal which host answered. The library listens on the
// interface of the default route besides, and fails on a hub without one.
type querier struct {
	env     discovery.Env
	socks   *sockets
	targets chan target
	hints   chan<- hint
}

func newQuerier(env discovery.Env, socks *sockets, hints chan<- hint) *querier {
	return &querier{env: env, socks: socks, targets: make(chan target, 4), hints: hints}
}

// request queues a query. When the queue is full, the target is left for the next
// hour.
func (q *querier) request(t target) {
	select {
	case q.targets <- t:
	default:
	}
}

func (q *querier) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case t := <-q.targets:
			q.serve(ctx, t)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(queryPause):
		}
	}
}

func (q *querier) serve(ctx context.Context, t target) {
	found, err := q.query(ctx, t)
	if err != nil {
		q.env.Log.Debug("targeted multicast DNS query failed", "type", t.typ, "interface", t.iface, "error", err)
		return
	}
	if len(found) == 0 {
		return
	}
	select {
	case q.hints <- hint{t.host, found}:
	case <-ctx.Done():
	}
}

func (q *querier) query(ctx context.Context, t target) ([]string, error) {
	ifi, err := net.InterfaceByIndex(t.host.link.index)
	if err != nil {
		return nil, fmt.Errorf("find interface %q: %w", t.iface, err)
	}
	typ, ok := dnssd.ServiceType(t.typ)
	if !ok {
		return nil, fmt.Errorf("query %q: not a service type", t.typ)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	before := q.socks.received.Load()
	q.socks.limit.Store(&limit{before + queryLimit, cancel})
	defer q.socks.limit.Store(nil)
	entries := make(chan *mdns.ServiceEntry, 64)
	err = mdns.QueryContext(ctx, &mdns.QueryParam{
		Service: typ, Timeout: queryTimeout, Interface: ifi, Entries: entries,
		DisableIPv4: t.host.link.v6, DisableIPv6: !t.host.link.v6,
		Logger: slog.NewLogLogger(q.env.Log.Handler(), slog.LevelDebug),
	})
	// One query, and at most one more for each datagram received.
	q.env.Sent(netip.Addr{}, 1+int(q.socks.received.Load()-before), 0)
	if err != nil {
		return nil, fmt.Errorf("query %q on interface %q: %w", typ, t.iface, err)
	}
	close(entries)
	var out []string
	for e := range entries {
		if _, of, ok := dnssd.InstanceName(e.Name); ok && of == typ {
			out = append(out, e.Name)
		}
	}
	return out, nil
}

// advertiser announces Thingwarden on the watched links.
type advertiser struct {
	env     discovery.Env
	servers map[int]*advert
}

type advert struct {
	links  []linkInfo
	server *mdns.Server
}

func newAdvertiser(env discovery.Env) *advertiser {
	return &advertiser{env: env, servers: map[int]*advert{}}
}

// sync keeps one responder on each interface, which knows the hub's addresses there.
func (a *advertiser) sync(open map[linkID]linkInfo) {
	want := map[int][]linkInfo{}
	for _, v6 := range []bool{false, true} {
		for id, l := range open {
			if id.v6 == v6 {
				want[id.index] = append(want[id.index], l)
			}
		}
	}
	for index, s := range a.servers {
		if !slices.EqualFunc(s.links, want[index], linkInfo.equal) {
			s.close()
			delete(a.servers, index)
		}
	}
	for index, links := range want {
		if a.servers[index] != nil {
			continue
		}
		server, err := a.serve(index, links)
		if err != nil {
			a.env.Log.Warn("multicast DNS cannot announce Thingwarden", "interface", links[0].iface, "error", err)
		}
		a.servers[index] = &advert{links, server} // also after a failure: tried again on change
	}
}

func (a *advertiser) serve(index int, links []linkInfo) (*mdns.Server, error) {
	ifi, err := net.InterfaceByIndex(index)
	if err != nil {
		return nil, fmt.Errorf("find interface %q: %w", links[0].iface, err)
	}
	var ips []net.IP
	for _, l := range links {
		for _, own := range l.own {
			ips = append(ips, own.AsSlice())
		}
	}
	zone, err := mdns.NewMDNSService("Thingwarden", "_http._tcp", "local.", "thingwarden.local.", ownPort, ips, []string{"path=/"})
	if err != nil {
		return nil, fmt.Errorf("describe own service: %w", err)
	}
	server, err := mdns.NewServer(&mdns.Config{
		Zone: zone, Iface: ifi, Logger: slog.NewLogLogger(a.env.Log.Handler(), slog.LevelDebug),
	})
	if err != nil {
		return nil, fmt.Errorf("answer on interface %q: %w", ifi.Name, err)
	}
	return server, nil
}

func (a *advertiser) close() {
	for _, s := range a.servers {
		s.close()
	}
}

func (s *advert) close() {
	if s.server != nil {
		_ = s.server.Shutdown()
	}
}
