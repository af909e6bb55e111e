// Package answer holds what probes and sources share to make facts of what a device or
// bridge answers: what several ports said to the same question, JSON and XML that
// firmware writes loosely, and words that are set or unknown with the reason.
//
// It sends nothing and knows no product.
package answer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Ports is what several ports answered to the probe of one protocol.
type Ports struct {
	closed []uint16
	other  []string // proof of ports of something else
	Found  []string // proof of those that use the protocol
	why    fact.Why // of a port of which nothing is known
}

// Services probes each port and returns those that use the protocol, by its name;
// nil if there are none and one did not answer: what was seen before may be there
// still.
func (a *Ports) Services(ctx context.Context, name string, list []uint16, uses func(port uint16) bool) ([]discovery.Service, error) {
	found := []discovery.Service{}
	for _, port := range list {
		is := uses(port)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if is {
			found = append(found, discovery.Service{Proto: "tcp", Port: int(port), Name: name})
		}
	}
	if a.why != "" && len(found) == 0 {
		return nil, nil
	}
	return found, nil
}

// Answered takes in a port's answer, or the error of probing it, and reports
// whether it uses the protocol.
func (a *Ports) Answered(port uint16, proof string, uses bool, err error) bool {
	switch {
	case errors.Is(err, prober.ErrClosed):
		a.closed = append(a.closed, port)
	case err != nil:
		a.why = prober.WhyOf(err)
	case uses:
		a.Found = append(a.Found, proof)
		return true
	default:
		a.other = append(a.other, proof)
	}
	return false
}

// SetOpen sets the fact "a port uses the protocol".
func (a *Ports) SetOpen(e *fact.Evidence, word fact.Fact[bool]) {
	switch {
	case len(a.Found) > 0:
		word.Set(e, true, strings.Join(a.Found, "; "))
	case a.why != "":
		word.Unknown(e, a.why)
	default:
		proof := a.other
		if len(a.closed) > 0 {
			proof = append(proof, List(a.closed)+" refused")
		}
		word.Set(e, false, strings.Join(proof, "; "))
	}
}

// SetClosed sets the word for "one of those lets anyone in" when none was seen
// to: false only if every one of them refused.
func (a *Ports) SetClosed(e *fact.Evidence, word fact.Fact[bool], unclear bool) {
	switch {
	case unclear:
		word.Unknown(e, fact.Unreadable)
	case a.why == "" && len(a.Found) > 0:
		word.Set(e, false, strings.Join(a.Found, "; "))
	default:
		word.Unknown(e, a.Why())
	}
}

// Why is why nothing is known of what the protocol would show.
func (a *Ports) Why() fact.Why {
	if a.why != "" {
		return a.why
	}
	return fact.Refused
}

// List writes ports as they stand in a proof.
func List(list []uint16) string {
	var out []string
	for _, p := range list {
		out = append(out, fmt.Sprintf("tcp/%d", p))
	}
	return strings.Join(out, ", ")
}
