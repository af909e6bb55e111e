package mdns

import (
	"context"
	"net/netip"

	"golang.org/x/sync/errgroup"

	"github.com/thingwarden/thingwarden/discovery"
)

// Air brings messages of multicast DNS from elsewhere than the machine's own
// interfaces: it calls hear with each, and with the address of its sender, until
// ctx is done.
type Air func(ctx context.Context, hear func(from netip.Addr, message []byte))

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
		s.air(ctx, func(from netip.Addr, message []byte) {
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
