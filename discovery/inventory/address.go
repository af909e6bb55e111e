package inventory

import (
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
)

func (inv *Inventory) bind(r *record, i discovery.Identifier) {
	if _, taken := inv.owner[i]; taken || len(r.ids) >= maxIDs {
		return // two strong identifiers never merge because somebody named them together
	}
	inv.owner[i] = r.id
	r.ids[i] = false
	inv.shared = inv.shared || i.Kind == discovery.PartID
}

// bindAddr gives an address to a device. The kernel's word moves it from
// another device; a claim takes only what nobody has (threat T12).
func (inv *Inventory) bindAddr(r *record, i discovery.Identifier, at time.Time, out *Outcome) {
	key := discovery.Identifier{Kind: discovery.IPID, Value: i.Value}
	claimed := i.Kind == discovery.ClaimedIP
	old, taken := inv.owner[key]
	switch {
	case taken && old == r.id:
		r.named[key] = at
		if !claimed && r.ids[key] {
			r.ids[key] = false
			out.Changed = append(out.Changed, r.id)
		}
		return
	case taken && inv.share(r, inv.records[old]):
		inv.move(inv.records[old], r, key, claimed && inv.records[old].ids[key], at, out)
		return
	case taken && claimed && !inv.records[old].ids[key]:
		return
	case taken && isWeak(old):
		inv.promote(inv.records[old], r, out)
		r.unbind(key)
	case taken:
		inv.records[old].unbind(key)
		inv.records[old].dropOwners(inv.traits)
		out.Changed = append(out.Changed, old)
	}
	inv.dropOldestAddr(r)
	inv.owner[key] = r.id
	r.ids[key], r.named[key] = claimed, at
	out.Changed = append(out.Changed, r.id)
	inv.release(i.Value, out)
}

func (r *record) unbind(addr discovery.Identifier) {
	delete(r.ids, addr)
	delete(r.named, addr)
}

// dropOldAddrs takes from a device the addresses that it has had no more for a
// while, by which it would be asked in vain.
func (inv *Inventory) dropOldAddrs(r *record, now time.Time, out *Outcome) {
	for i, at := range r.named {
		if now.Sub(at) >= addrKept {
			r.unbind(i)
			delete(inv.owner, i)
			out.Changed = append(out.Changed, r.id)
		}
	}
}

// dropOldestAddr makes room for an address: temporary IPv6 addresses come and go.
func (inv *Inventory) dropOldestAddr(r *record) {
	if len(r.ids) < maxIDs {
		return
	}
	var worst discovery.Identifier
	for i, at := range r.named {
		six, worstSix := strings.Contains(i.Value, ":"), strings.Contains(worst.Value, ":")
		if worst.Value == "" || six && !worstSix || six == worstSix && at.Before(r.named[worst]) {
			worst = i
		}
	}
	r.unbind(worst)
	delete(inv.owner, worst)
}

// release applies what waited for the owner of an address.
func (inv *Inventory) release(value string, out *Outcome) {
	waiting := inv.pending
	inv.pending = nil
	for _, o := range waiting {
		_, weak := split(o.About)
		if weak[0].Value == value {
			inv.observeWeak(o, weak, out)
		} else {
			inv.pending = append(inv.pending, o)
		}
	}
}
