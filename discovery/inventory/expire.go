package inventory

import (
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Expire makes words that are too old unknown, and returns the devices that
// changed and when the next word will be too old; zero when none will.
func (inv *Inventory) Expire(now time.Time) (changed []discovery.ID, next time.Time) {
	for id, r := range inv.records {
		for _, c := range r.by {
			before := known(c.facts)
			n := c.facts.Expire(now)
			if known(c.facts) != before {
				changed = append(changed, id)
			}
			if !n.IsZero() && (next.IsZero() || n.Before(next)) {
				next = n
			}
		}
	}
	return inv.shownAs(changed), next
}

func known(e *fact.Evidence) (n int) {
	for _, x := range e.Entries() {
		if x.Known() {
			n++
		}
	}
	return n
}
