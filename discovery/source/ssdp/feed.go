package ssdp

import (
	"context"
	"net"
	"net/netip"

	"golang.org/x/sync/errgroup"

	"github.com/thingwarden/thingwarden/discovery"
)

// Feed supplies answers to searches that do not come from the machine's own
// interfaces: it calls hear with each, and with the address of its sender, until
// ctx is done.
type Feed func(ctx context.Context, receive func(from netip.Addr, answer []byte))

// KindOn returns the source as it runs on a feed, for the simulated home of `demo`.
// Answers are judged as by Kind; no socket is opened and nothing is sent.
func KindOn(feed Feed) discovery.SourceKind {
	k := Kind
	k.Default = func() discovery.SourceConfig { return fromFeed(feed) }
	return k
}

type fromFeed Feed

func (fromFeed) Validate() error { return nil }

func (a fromFeed) New(env discovery.Env) (discovery.Source, error) {
	return &feedSource{Feed(a), env}, nil
}

type feedSource struct {
	feed Feed
	env  discovery.Env
}

// Run implements discovery.Source.
func (s *feedSource) Run(ctx context.Context, report func(discovery.Observation)) error {
	in := make(chan message, 256)
	g := newGate(s.env, in)
	r := newRegister(s.env, report)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.run(ctx, in, nil) })
	group.Go(func() error {
		s.feed(ctx, func(from netip.Addr, answer []byte) {
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
