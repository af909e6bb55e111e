package mdns

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/hashicorp/mdns"
	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

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
// unicast: that gets through where Wi-Fi loses multicast. It never makes facts.
//
// The library unpacks a message whole, drops it for one bad record, and opens its
// sockets itself, so that the answer cannot be read beside it. It also needs a
// default route. Of a host of which it hears nothing, queryOnce asks again and reads
// the answer record by record.
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
	found, answered, err := q.queryLibrary(ctx, t, ifi, typ)
	if answered || ctx.Err() != nil {
		return found, nil
	}
	if err != nil {
		q.env.Log.Debug("multicast DNS library failed", "type", typ, "interface", t.iface, "error", err)
	}
	more, err := q.queryOnce(ctx, t, ifi, typ)
	if err != nil {
		return found, fmt.Errorf("query %q on interface %q: %w", typ, t.iface, err)
	}
	for _, name := range more {
		if !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	return found, nil
}

// queryLibrary returns the instances that the library finds, and whether one of them
// is at the target's address.
func (q *querier) queryLibrary(ctx context.Context, t target, ifi *net.Interface, typ string) (found []string, answered bool, err error) {
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
	close(entries)
	for e := range entries {
		if _, of, ok := dnssd.InstanceName(e.Name); ok && of == typ {
			found = append(found, e.Name)
			for _, ip := range []net.IP{e.AddrV4, e.AddrV6} {
				a, ok := netip.AddrFromSlice(ip)
				answered = answered || ok && a.Unmap() == t.host.addr
			}
		}
	}
	return found, answered, err
}

// queryOnce sends one query and returns the instances in what the target answers.
func (q *querier) queryOnce(ctx context.Context, t target, ifi *net.Interface, typ string) ([]string, error) {
	m := new(dns.Msg)
	m.SetQuestion(typ+".local.", dns.TypePTR)
	m.Id, m.RecursionDesired = 0, false
	b, err := m.Pack()
	if err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	conn, err := sendGroup(ifi, t.host.link.v6, b)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	q.env.Sent(netip.Addr{}, 1, 0)
	if err := conn.SetReadDeadline(time.Now().Add(queryTimeout)); err != nil {
		return nil, err
	}
	var out []string
	buf := make([]byte, 1<<16)
	for range queryLimit {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			break // the time is over
		}
		if from.Addr().Unmap().WithZone("") == t.host.addr && from.Port() == port {
			out = append(out, instancesOf(buf[:n], typ)...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// sendGroup multicasts a message from an ephemeral port.
func sendGroup(ifi *net.Interface, v6 bool, b []byte) (*net.UDPConn, error) {
	family, group := "udp4", &net.UDPAddr{IP: group4.AsSlice(), Port: port}
	if v6 {
		family, group = "udp6", &net.UDPAddr{IP: group6.AsSlice(), Port: port, Zone: ifi.Name}
	}
	conn, err := net.ListenUDP(family, nil)
	if err != nil {
		return nil, fmt.Errorf("open socket: %w", err)
	}
	if v6 {
		p := ipv6.NewPacketConn(conn)
		err = errors.Join(p.SetMulticastInterface(ifi), p.SetMulticastHopLimit(255))
	} else {
		p := ipv4.NewPacketConn(conn)
		err = errors.Join(p.SetMulticastInterface(ifi), p.SetMulticastTTL(255))
	}
	if err == nil {
		_, err = conn.WriteToUDP(b, group)
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("send: %w", err)
	}
	return conn, nil
}

// instancesOf returns the instances of a type that an answer names.
func instancesOf(b []byte, typ string) (out []string) {
	m, err := dnssd.ReadMessage(b)
	if err != nil || !m.Response {
		return nil
	}
	for _, rr := range m.Records {
		name := rr.Header().Name
		if ptr, ok := rr.(*dns.PTR); ok {
			name = ptr.Ptr
		}
		if _, of, ok := dnssd.InstanceName(name); ok && of == typ {
			out = append(out, name)
		}
	}
	return out
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
