package network

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/thingwarden/thingwarden/discovery"
)

// Routed are the home's networks as a source knows them that is told by somebody
// who is in them. It may be used from any goroutine.
type Routed struct {
	mu     sync.Mutex
	routed []netip.Prefix
}

// Set replaces what was told.
func (r *Routed) Set(routed []netip.Prefix) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.routed = slices.Clone(routed)
}

// Added returns networks with those that were told, where they count.
func (r *Routed) Added(networks func() discovery.Networks) func() discovery.Networks {
	return func() discovery.Networks {
		n := networks()
		r.mu.Lock()
		defer r.mu.Unlock()
		return AddRouted(n, r.routed)
	}
}

// Describe says in a line what is looked at, and what is not and why.
func Describe(n discovery.Networks) string {
	var b strings.Builder
	b.WriteString("Looking at: ")
	if len(n.Watched)+len(n.Routed) == 0 {
		b.WriteString("no network")
	}
	var watched []string // one for each prefix: the hub may have several addresses in it
	for _, w := range n.Watched {
		if s := fmt.Sprintf("%s on %s", w.Prefix, w.Interface); !slices.Contains(watched, s) {
			watched = append(watched, s)
		}
	}
	for _, p := range n.Routed {
		watched = append(watched, fmt.Sprintf("%s by way of a router", p))
	}
	b.WriteString(strings.Join(watched, ", ") + ".")
	for _, s := range n.Skipped {
		fmt.Fprintf(&b, " Not %s: %s.", Name(s), strings.TrimSuffix(s.Reason, "."))
	}
	return b.String()
}

// Name is what a network that is not looked at goes by: its prefix, its interface or
// both.
func Name(s discovery.Skipped) string {
	if s.Prefix.IsValid() {
		if s.Interface == "" {
			return s.Prefix.String()
		}
		return s.Prefix.String() + " on " + s.Interface
	}
	return s.Interface
}
