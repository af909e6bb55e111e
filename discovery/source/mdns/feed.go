package mdns

import (
	"context"
	"net/netip"

	"golang.org/x/sync/errgroup"

	"github.com/thingwarden/thingwarden/discovery"
)

// Feed supplies multicast DNS messages that do not come from the machine's own
// interfaces: it calls hear with each, and with the address of its sender, until
// ctx is done.
type Feed func(ctx context.Context, receive func(from netip.Addr, message []byte))

// KindOn returns the source as it runs on a feed, for the simulated home of `demo`.
// Messages are judged as by Kind; no socket is opened and nothing is sent.
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
	in := newInbox()
	open := links(s.env.Networks())
	b := newBrowser(s.env, func(linkID, []byte) {}, func(target) {}, report)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return b.run(ctx, in) })
	group.Go(func() error {
		select {
		case in.links <- open:
		case <-ctx.Done():
			return nil
		}
		s.feed(ctx, func(from netip.Addr, message []byte) {
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
