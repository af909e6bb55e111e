package mdns

import (
	"context"
	"net/netip"

	"golang.org/x/sync/errgroup"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/internal/feed"
)

// KindOn returns the source as it runs on a feed. Messages are judged as by Kind.
func KindOn(f feed.Func) discovery.SourceKind { return feed.Kind(Kind, f, runFeed) }

func runFeed(ctx context.Context, env discovery.Env, f feed.Func, report func(discovery.Observation)) error {
	in := newInbox()
	open := links(env.Networks())
	b := newBrowser(env, func(linkID, []byte) {}, func(target) {}, report)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return b.run(ctx, in) })
	group.Go(func() error {
		select {
		case in.links <- open:
		case <-ctx.Done():
			return nil
		}
		f(ctx, func(from netip.Addr, message []byte) {
			for id, l := range open {
				if id.v6 != from.Is6() || !l.onLink(from) {
					continue
				}
				select {
				case in.packets <- packet{id, netip.AddrPortFrom(from, port), message}:
				case <-ctx.Done():
				}
			}
		})
		<-ctx.Done()
		return nil
	})
	return group.Wait()
}
