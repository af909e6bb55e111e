package probe

import (
	"context"
	"errors"
	"strings"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// asked is what several ports answered to the question for one protocol.
type asked struct {
	closed []uint16
	other  []string // proof of ports of something else
	found  []string // proof of those that speak the protocol
	why    fact.Why // of a port of which nothing is known
}

// services asks each port and returns those that speak the protocol, by the name of
// it; nil if there are none and one did not answer: what was seen before may be
// there still.
func (a *asked) services(ctx context.Context, name string, list []uint16, speaks func(port uint16) bool) ([]discovery.Service, error) {
	found := []discovery.Service{}
	for _, port := range list {
		is := speaks(port)
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

// answered takes in what a port said, or how asking it ended, and reports
// whether it speaks the protocol.
func (a *asked) answered(port uint16, said string, speaks bool, err error) bool {
	switch {
	case errors.Is(err, prober.ErrClosed):
		a.closed = append(a.closed, port)
	case err != nil:
		a.why = prober.WhyOf(err)
	case speaks:
		a.found = append(a.found, said)
		return true
	default:
		a.other = append(a.other, said)
	}
	return false
}

// tellOpen sets the word for "something speaks the protocol".
func (a *asked) tellOpen(e *fact.Evidence, word fact.Fact[bool]) {
	switch {
	case len(a.found) > 0:
		word.Set(e, true, strings.Join(a.found, "; "))
	case a.why != "":
		word.Unknown(e, a.why)
	default:
		said := a.other
		if len(a.closed) > 0 {
			said = append(said, ports(a.closed)+" refused")
		}
		word.Set(e, false, strings.Join(said, "; "))
	}
}

// tellClosed sets the word for "one of those lets anyone in" when none was seen
// to: false only if every one of them refused.
func (a *asked) tellClosed(e *fact.Evidence, word fact.Fact[bool], unclear bool) {
	switch {
	case unclear:
		word.Unknown(e, fact.Unreadable)
	case a.why != "":
		word.Unknown(e, a.why)
	case len(a.found) > 0:
		word.Set(e, false, strings.Join(a.found, "; "))
	default:
		word.Unknown(e, fact.Refused)
	}
}
