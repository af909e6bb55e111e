// Package feed runs a source on messages that do not come from the machine's own
// interfaces, for the simulated home of `demo`. It opens no socket and sends nothing.
package feed

import (
	"context"
	"net/netip"

	"github.com/thingwarden/thingwarden/discovery"
)

// Func calls receive with each message and the address of its sender, until ctx is
// done.
type Func func(ctx context.Context, receive func(from netip.Addr, message []byte))

// RunFunc is a source's Run on a feed.
type RunFunc func(ctx context.Context, env discovery.Env, f Func, report func(discovery.Observation)) error

// Kind returns the kind of a source as it runs on a feed.
func Kind(k discovery.SourceKind, f Func, run RunFunc) discovery.SourceKind {
	k.Default = func() discovery.SourceConfig { return config{f, run} }
	return k
}

type config struct {
	feed Func
	run  RunFunc
}

func (config) Validate() error { return nil }

func (c config) New(env discovery.Env) (discovery.Source, error) { return source{c, env}, nil }

type source struct {
	config
	env discovery.Env
}

// Run implements discovery.Source.
func (s source) Run(ctx context.Context, report func(discovery.Observation)) error {
	return s.run(ctx, s.env, s.feed, report)
}
