// Package routed is the source of devices in networks behind a router, such as a
// VLAN of its own for such things, that the owner named in the configuration.
//
// Nothing of such a network is heard, and no hardware address of it is known: once
// an hour each address gets an ICMP echo request, where the kernel lets anybody
// send one, and connections to TCP ports 443, 80, 22 and 445 until it answers; a
// refusal is an answer. It is not this package's job to choose the networks
// (package network does) or to probe what it finds (package prober).
package routed

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Kind is the source of devices in networks behind a router.
var Kind = discovery.SourceKind{
	Name: name, Title: "Networks behind the router",
	Doc:     "Looks once an hour which addresses of named networks behind a router answer: by ping and by connecting to TCP ports 443, 80, 22 and 445, without sending anything over the connection.",
	Rank:    discovery.RankAddress,
	Default: func() discovery.SourceConfig { return &Config{} },
}

// Config is empty: Networks.Swept are the networks.
type Config struct{}

// Validate implements discovery.SourceConfig.
func (*Config) Validate() error { return nil }

// New implements discovery.SourceConfig.
func (*Config) New(env discovery.Env) (discovery.Source, error) {
	return &source{env: env, there: map[netip.Addr]bool{}, problems: map[netip.Prefix]string{}, connect: connect, ping: ping}, nil
}

const (
	name = "routed"
	// sweepEvery is the time between two sweeps, lookEvery how soon another network
	// is swept.
	sweepEvery = time.Hour
	lookEvery  = 10 * time.Second
	timeout    = 3 * time.Second
	workers    = 64 // addresses to which a connection is tried at once
)

// ports are tried in this order until one answers.
var ports = [...]uint16{443, 80, 22, 445}

type source struct {
	env      discovery.Env
	there    map[netip.Addr]bool // addresses that answered the last sweep
	problems map[netip.Prefix]string
	noPing   error

	connect func(ctx context.Context, to netip.AddrPort) error
	ping    func(ctx context.Context, all []netip.Addr, sent func(netip.Addr) error) (map[netip.Addr]bool, error)
}

// Run sweeps until ctx is done.
func (s *source) Run(ctx context.Context, report func(discovery.Observation)) error {
	if s.env.ListenOnly {
		<-ctx.Done()
		return nil
	}
	var swept []netip.Prefix
	var due time.Time
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if now := s.env.Networks().Swept; !slices.Equal(now, swept) || len(now) > 0 && !time.Now().Before(due) {
			swept, due = slices.Clone(now), time.Now().Add(sweepEvery)
			maps.DeleteFunc(s.problems, func(p netip.Prefix, _ string) bool { return !slices.Contains(swept, p) })
			for _, p := range swept {
				s.sweep(ctx, p, report)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// sweep looks which addresses of a network answer, and reports them once all have
// been tried.
func (s *source) sweep(ctx context.Context, p netip.Prefix, report func(discovery.Observation)) {
	all := hosts(p)
	proof := s.try(ctx, all)
	if ctx.Err() != nil {
		return
	}
	alike := map[string]int{}
	for _, how := range proof {
		alike[how]++
	}
	delete(s.problems, p)
	for _, how := range slices.Sorted(maps.Keys(alike)) {
		if alike[how] > len(all)/2 {
			s.problems[p] = fmt.Sprintf("%d of the %d addresses of %s answer in the same way (%s), as a firewall does in the place of all of them: nothing there is taken for a device.", alike[how], len(all), p, how)
			clear(proof)
			break
		}
	}
	s.health()
	for _, a := range all {
		how, answered := proof[a]
		if !answered && !s.there[a] {
			continue
		}
		e := fact.New(name, s.env.Now())
		fact.DeviceKind.Set(e, "lan", how)
		fact.DeviceReachable.Set(e, true, how)
		if !answered {
			how = "no answer to ping and on TCP ports 443, 80, 22 and 445"
		}
		fact.DeviceOnline.Set(e, answered, how)
		s.there[a] = answered
		report(discovery.Observation{About: []discovery.Identifier{discovery.IP(a)}, Facts: e, Quiet: !answered})
	}
}

// try returns how each address answered that did.
func (s *source) try(ctx context.Context, all []netip.Addr) map[netip.Addr]string {
	proof := map[netip.Addr]string{}
	answered, err := s.ping(ctx, all, func(a netip.Addr) error { return s.turn(ctx, a) })
	s.noPing = err
	for a := range answered {
		proof[a] = "ICMP echo reply"
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	left := make(chan netip.Addr)
	for range workers {
		wg.Go(func() {
			for a := range left {
				if how := s.tryPorts(ctx, a); how != "" {
					mu.Lock()
					proof[a] = how
					mu.Unlock()
				}
			}
		})
	}
	for _, a := range all {
		if !answered[a] {
			left <- a
		}
	}
	close(left)
	wg.Wait()
	return proof
}

// turn waits until a datagram may be sent, and counts it.
func (s *source) turn(ctx context.Context, to netip.Addr) error {
	for {
		wait := s.env.Pause()
		if wait <= 0 {
			s.env.Sent(to, 1, 0)
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// tryPorts returns how an address answers on the first port on which it does.
func (s *source) tryPorts(ctx context.Context, a netip.Addr) string {
	for _, port := range ports {
		if s.env.Connection(ctx) != nil {
			return ""
		}
		s.env.Sent(a, 0, 1)
		switch err := s.connect(ctx, netip.AddrPortFrom(a, port)); {
		case err == nil:
			return fmt.Sprintf("tcp/%d: open", port)
		case errors.Is(err, syscall.ECONNREFUSED):
			return fmt.Sprintf("tcp/%d: refused", port)
		}
	}
	return ""
}

// health states what is not seen.
func (s *source) health() {
	var all []string
	for _, p := range slices.SortedFunc(maps.Keys(s.problems), netip.Prefix.Compare) {
		all = append(all, s.problems[p])
	}
	if s.noPing != nil {
		all = append(all, "This machine lets no ordinary program ping (sysctl net.ipv4.ping_group_range): in networks behind the router, devices without an answer on TCP ports 443, 80, 22 and 445 are not seen.")
	}
	if len(all) == 0 {
		s.env.Health(discovery.OK, "")
		return
	}
	s.env.Health(discovery.Degraded, strings.Join(all, " "))
}

// hosts are the addresses of a network without its first and last.
func hosts(p netip.Prefix) (all []netip.Addr) {
	for a := p.Masked().Addr(); p.Contains(a); a = a.Next() {
		all = append(all, a)
	}
	if len(all) > 2 {
		all = all[1 : len(all)-1]
	}
	return all
}

// connect opens a connection and closes it.
func connect(ctx context.Context, to netip.AddrPort) error {
	c, err := (&net.Dialer{Timeout: timeout}).DialContext(ctx, "tcp4", to.String())
	if err != nil {
		return fmt.Errorf("connect to %q: %w", to, err)
	}
	return c.Close()
}
