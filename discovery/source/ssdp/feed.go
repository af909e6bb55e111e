package ssdp

import (
	"context"
	"net"
	"net/netip"

	"golang.org/x/sync/errgroup"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/internal/feed"
)

// KindOn returns the source as it runs on a feed. Answers are judged as by Kind.
func KindOn(f feed.Func) discovery.SourceKind { return feed.Kind(Kind, f, runFeed) }

func runFeed(ctx context.Context, env discovery.Env, f feed.Func, report func(discovery.Observation)) error {
	in := make(chan message, 256)
	g := newGate(env, in)
	r := newRegister(env, report)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.run(ctx, in, nil) })
	group.Go(func() error {
		f(ctx, func(from netip.Addr, answer []byte) {
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
