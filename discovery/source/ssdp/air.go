package ssdp

import (
	"context"
	"net"
	"net/netip"

	"golang.org/x/sync/errgroup"

	"github.com/thingwarden/thingwarden/discovery"
)

// Air brings answers to searches from elsewhere than the machine's own
// interfaces: it calls hear with each, and with the address of its sender, until
// ctx is done.
type Air func(ctx context.Context, hear func(from netip.Addr, answer []byte))

// KindOn returns the source as it is on such an air, for the simulated home of
// `demo`. What is heard is judged as Kind does; no socket is opened and nothing
// is sent.
func KindOn(air Air) discovery.SourceKind {
	k := Kind
	k.Default = func() discovery.SourceConfig { return onAir(air) }
	return k
}

type onAir Air

func (onAir) Validate() error { return nil }

func (a onAir) New(env discovery.Env) (discovery.Source, error) { return &airSource{Air(a), env}, nil }

type airSource struct {
	air Air
	env discovery.Env
}

// Run implements discovery.Source.
func (s *airSource) Run(ctx context.Context, report func(discovery.Observation)) error {
	in := make(chan message, 256)
	g := newGate(s.env, in)
	r := newRegister(s.env, report)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.run(ctx, in, nil) })
	group.Go(func() error {
		s.air(ctx, func(from netip.Addr, answer []byte) {
			sender, ok := g.admits(net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 1900)))
			if !ok || len(answer) > maxPacket {
				return
			}
			if m, ok := readAnswer(answer); ok {
				m.from = sender
				g.pass(m)
			}
		})
		<-ctx.Done()
		return nil
	})
	return group.Wait()
}
