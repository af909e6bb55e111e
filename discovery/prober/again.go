package prober

import (
	"net/netip"
	"slices"
	"time"
)

// spare spares the addresses of a device that have been asked already: a probe that
// is due only because the device has got another address asks that one alone. It is
// called with the lock held, once the targets are made.
func (w *pass) spare(s *subject, now time.Time) {
	for name, regular := range s.regular {
		delete(s.regular, name)
		// Behind several IPv4 addresses may be several devices, which only a look at
		// all of them tells apart.
		if s.forced || w.holds() || !regular.After(now.Add(together)) {
			continue
		}
		known := slices.DeleteFunc(slices.Clone(s.results[name]), func(l result) bool { return w.index(l.addr) < 0 })
		if len(known) > 0 {
			w.results[name], w.regular[name] = known, regular
		}
	}
}

// index is the place of an address among the targets, -1 if it is none of theirs.
func (w *pass) index(a netip.Addr) int {
	return slices.IndexFunc(w.targets, func(t *Target) bool { return t.addr == a })
}

// worst is 1 for a probe that has told of something wrong with the device, which the
// owner who has it checked now wants to see first, else 0.
func (w *pass) worst(probe *Probe) int {
	for _, word := range probe.Gives {
		n, _ := w.evidence.Entry(word)
		if _, ok := n.Value.(bool); ok && n.By == probe.Name && n.BadNews() {
			return 1
		}
	}
	return 0
}
