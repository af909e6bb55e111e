package answer

import (
	"context"
	"errors"
	"fmt"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Greeting is a service that identifies itself as soon as a client connects.
type Greeting struct {
	Port    uint16 // TCP
	Service string // the name of the service
	Word    fact.Fact[string]
	Prefix  string // what stands before the text in the proof
	// Read returns the text of a greeting. It is false for that of another service.
	Read func([]byte) (text string, ok bool)
}

// Run is a prober.Probe's Run: it connects, sends nothing, and sets the word to the
// text of the greeting.
func (g *Greeting) Run(ctx context.Context, t *prober.Target, report func(discovery.Observation)) error {
	o := discovery.Observation{About: t.About(), Facts: t.Evidence()}
	b, err := t.Banner(ctx, g.Port)
	switch text, ok := g.Read(b); {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, prober.ErrClosed):
		g.Word.Unknown(o.Facts, fact.Refused)
		o.Services = []discovery.Service{}
	case err != nil:
		g.Word.Unknown(o.Facts, prober.WhyOf(err))
	case ok:
		g.Word.Set(o.Facts, text, fmt.Sprintf("tcp/%d: %s%s", g.Port, g.Prefix, text))
		o.Services = []discovery.Service{{Proto: "tcp", Port: int(g.Port), Name: g.Service}}
	case len(b) == 0:
		g.Word.Unknown(o.Facts, fact.NoAnswer)
	default:
		g.Word.Unknown(o.Facts, fact.Unreadable)
	}
	report(o)
	return nil
}
