// Package reversedns is the source of the names that the home's own resolver,
// mostly the router, has for addresses (reverse DNS, RFC 1035, section 3.5).
//
// No address leaves the home: only private ones are looked up, and only from a
// resolver at a private address. It is not this package's job to decide
// whether a name is one for people.
package reversedns

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Kind is the source of names by reverse DNS.
var Kind = discovery.SourceKind{
	Name: name, Title: "Names of your router",
	Doc:  "Looks up the names of devices at the home's own resolver, if that has a private address (reverse DNS); one query an address an hour, for private addresses only.",
	Rank: discovery.RankAddress, Role: discovery.Opinion,
	Default: func() discovery.SourceConfig { return &Config{} },
}

// Config is empty.
type Config struct{}

// Validate implements discovery.SourceConfig.
func (*Config) Validate() error { return nil }

// New makes the source.
func (*Config) New(env discovery.Env) (discovery.Source, error) {
	return &source{
		env: env, queried: map[netip.Addr]time.Time{}, silent: map[netip.Addr]int{},
		system: systemResolvers, exchange: exchange,
	}, nil
}

const (
	name = "reversedns"
	// lookEvery is how soon a new address is looked up.
	lookEvery = 3 * time.Second
	// queryEvery is the time between two queries for an address.
	queryEvery = time.Hour
	timeout    = time.Second
	// giveUpAfter is how many queries a resolver may leave without an answer; it is
	// then used again after restFor.
	giveUpAfter = 3
	restFor     = time.Hour
)

type source struct {
	env     discovery.Env
	queried map[netip.Addr]time.Time
	silent  map[netip.Addr]int // queries in a row without an answer, by resolver
	rest    time.Time          // no queries until then
	good    netip.Addr         // the resolver that gave the last name

	system   func() []netip.Addr
	exchange func(ctx context.Context, resolver netip.Addr, q *dns.Msg) (*dns.Msg, error)
}

// Run looks up the names of all devices until ctx is done.
func (s *source) Run(ctx context.Context, report func(discovery.Observation)) error {
	if s.env.ListenOnly {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		s.round(ctx, report)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// round looks up all addresses that are due.
func (s *source) round(ctx context.Context, report func(discovery.Observation)) {
	owners, networks := s.env.Owners(), s.env.Networks()
	for a := range s.queried {
		if _, there := owners[a]; !there && time.Since(s.queried[a]) >= queryEvery {
			delete(s.queried, a)
		}
	}
	var due []netip.Addr
	for a := range owners {
		if at, ok := s.queried[a]; a.IsPrivate() && !networks.Own(a) && (!ok || time.Since(at) >= queryEvery) {
			due = append(due, a)
		}
	}
	slices.SortFunc(due, netip.Addr.Compare)
	for _, a := range due {
		resolver, ok := s.resolver(networks)
		if !ok || !s.waitForShare(ctx) {
			return
		}
		s.queried[a] = time.Now()
		s.env.Sent(resolver, 1, 0)
		if o, ok := s.query(ctx, resolver, a); ok {
			o.About = []discovery.Identifier{owners[a]}
			report(o)
		}
	}
}

// waitForShare waits for the home's share of datagrams.
func (s *source) waitForShare(ctx context.Context) bool {
	for {
		wait := s.env.Pause()
		if wait <= 0 {
			return ctx.Err() == nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
	}
}

// resolver returns the resolver to use: the one that gave a name before, else the
// system's resolvers, then the gateways; none that is silent.
func (s *source) resolver(networks discovery.Networks) (netip.Addr, bool) {
	if time.Now().Before(s.rest) {
		return netip.Addr{}, false
	}
	all := slices.DeleteFunc(slices.Concat([]netip.Addr{s.good}, s.system(), networks.Gateways), func(a netip.Addr) bool {
		return !a.IsPrivate()
	})
	for _, a := range all {
		if s.silent[a] < giveUpAfter {
			return a, true
		}
	}
	if len(all) > 0 {
		s.rest = time.Now().Add(restFor)
	}
	clear(s.silent)
	return netip.Addr{}, false
}

// query sends one query and reads its answer; false if there was none.
func (s *source) query(ctx context.Context, resolver, addr netip.Addr) (discovery.Observation, bool) {
	arpa, err := dns.ReverseAddr(addr.String())
	if err != nil {
		return discovery.Observation{}, false
	}
	q := new(dns.Msg).SetQuestion(arpa, dns.TypePTR)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := s.exchange(ctx, resolver, q)
	if err != nil {
		s.silent[resolver]++
		return discovery.Observation{}, false
	}
	s.silent[resolver] = 0
	o := discovery.Observation{Facts: fact.New(name, s.env.Now()), Quiet: true}
	if host := hostOf(r, q); host != "" {
		s.good = resolver
		fact.DNSName.Set(o.Facts, host, "PTR "+strings.TrimSuffix(arpa, ".")+" by "+resolver.String())
	} else {
		fact.DNSName.Unknown(o.Facts, fact.NotReported)
	}
	return o, true
}

// hostOf returns the name in an answer, "" if it is not one to the question or has
// none that a host can have.
func hostOf(r, q *dns.Msg) string {
	if !r.Response || r.Id != q.Id || r.Rcode != dns.RcodeSuccess || len(r.Question) != 1 || !strings.EqualFold(r.Question[0].Name, q.Question[0].Name) {
		return ""
	}
	for _, rr := range r.Answer {
		ptr, ok := rr.(*dns.PTR)
		if !ok || !strings.EqualFold(ptr.Hdr.Name, q.Question[0].Name) {
			continue
		}
		host := strings.TrimSuffix(ptr.Ptr, ".")
		if host != "" && host == fact.Clean(host, fact.MaxText) && !strings.ContainsAny(host, `\ /"<>@`) {
			return host
		}
	}
	return ""
}

// exchange queries by UDP; a truncated answer has the name or none.
func exchange(ctx context.Context, resolver netip.Addr, q *dns.Msg) (*dns.Msg, error) {
	r, _, err := (&dns.Client{Net: "udp"}).ExchangeContext(ctx, q, netip.AddrPortFrom(resolver, 53).String())
	return r, err
}

// systemResolvers are those of resolv.conf. One on this machine may forward
// queries to any other resolver, and does not count as the home's.
func systemResolvers() (all []netip.Addr) {
	conf, err := dns.ClientConfigFromFile("/etc/resolv.conf")
	if err != nil {
		return nil
	}
	for _, text := range conf.Servers {
		if a, err := netip.ParseAddr(text); err == nil {
			all = append(all, a.Unmap())
		}
	}
	return all
}
