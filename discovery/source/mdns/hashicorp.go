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
	askFor   = 500 * time.Millisecond
	askPause = 30 * time.Second
	// askLimit is how many datagrams may come in while a question is out. The
	// library sends one for each that it does not understand, so a flood must not
	// make it send without end (500 ms at most, and this many).
	askLimit = 100
	// ownPort is that of Thingwarden's page.
	ownPort = 8099
)

// target is a service type of which a host has shown no instance.
type target struct {
	host  hostKey
	iface string
	typ   string // "_http._tcp.local."
}

// hint is what asking a target brought.
type hint struct {
	host      hostKey
	instances []string
}

// asker puts single questions from an ephemeral port, which responders answer by
// unicast: that gets through where a Wi-Fi loses multicast. It never makes facts,
// since the library does not say who answered. The library listens on the
// interface of the default route besides, and fails on a hub without one.
type asker struct {
	env     discovery.Env
	socks   *sockets
	targets chan target
	hints   chan<- hint
}

func newAsker(env discovery.Env, socks *sockets, hints chan<- hint) *asker {
	return &asker{env: env, socks: socks, targets: make(chan target, 4), hints: hints}
}

// want asks as soon as there is time. When there is much to ask the rest is left
// for the next hour.
func (a *asker) want(t target) {
	select {
	case a.targets <- t:
	default:
	}
}

func (a *asker) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case t := <-a.targets:
			a.serve(ctx, t)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(askPause):
		}
	}
}

func (a *asker) serve(ctx context.Context, t target) {
	found, err := a.ask(ctx, t)
	if err != nil {
		a.env.Log.Debug("targeted multicast DNS query failed", "type", t.typ, "interface", t.iface, "error", err)
		return
	}
	if len(found) == 0 {
		return
	}
	select {
	case a.hints <- hint{t.host, found}:
	case <-ctx.Done():
	}
}

func (a *asker) ask(ctx context.Context, t target) ([]string, error) {
	ifi, err := net.InterfaceByIndex(t.host.link.index)
	if err != nil {
		return nil, fmt.Errorf("find interface %q: %w", t.iface, err)
	}
	typ, ok := dnssd.ServiceType(t.typ)
	if !ok {
		return nil, fmt.Errorf("ask for %q: not a service type", t.typ)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	before := a.socks.received.Load()
	a.socks.limit.Store(&limit{before + askLimit, cancel})
	defer a.socks.limit.Store(nil)
	entries := make(chan *mdns.ServiceEntry, 64)
	err = mdns.QueryContext(ctx, &mdns.QueryParam{
		Service: typ, Timeout: askFor, Interface: ifi, Entries: entries,
		DisableIPv4: t.host.link.v6, DisableIPv6: !t.host.link.v6,
		Logger: slog.NewLogLogger(a.env.Log.Handler(), slog.LevelDebug),
	})
	// One question, and at most one more for each datagram heard.
	a.env.Sent(netip.Addr{}, 1+int(a.socks.received.Load()-before), 0)
	if err != nil {
		return nil, fmt.Errorf("ask for %q on interface %q: %w", typ, t.iface, err)
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

// advertiser announces Thingwarden on the links that are looked at.
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
			a.env.Log.Warn("Thingwarden is not announced by multicast DNS", "interface", links[0].iface, "error", err)
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
