package inventory

import (
	"maps"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// maxParts is how many devices may share a hardware address with one: behind an
// extender there are a few, and nobody is to fill the home with one MAC.
const maxParts = 16

// separate makes devices of their own of those that share a hardware address with
// another and answer at other addresses as other products. What was said of the
// device before by what only heard those addresses is taken back: it may be
// anybody's.
func (inv *Inventory) separate(r *record, o discovery.Observation, out *Outcome) {
	for _, x := range o.Apart {
		mac, ok := x.ID.Shares()
		if base := inv.owner[mac]; !ok || base == "" || inv.records[base] != r && !r.isPartOf(mac) {
			continue
		}
		part := inv.find([]discovery.Identifier{x.ID})
		if part == r {
			continue
		}
		if part == nil {
			if len(inv.parts(mac)) >= maxParts {
				continue
			}
			claims := o
			claims.Quiet = false // it answered
			if part = inv.admit(x.ID.ID(), claims, out); part == nil {
				continue
			}
			if inv.records[r.id] != r {
				return // it was what made room
			}
			inv.bind(part, x.ID)
		}
		for _, a := range x.Addrs {
			if claimed, had := r.ids[discovery.IP(a)]; had {
				inv.move(r, part, discovery.IP(a), claimed, o.At, out)
			}
		}
	}
}

// move gives an address to another device that shares the hardware address. What
// was heard from it before may be either one's.
func (inv *Inventory) move(from, to *record, key discovery.Identifier, claimed bool, now time.Time, out *Outcome) {
	from.unbind(key)
	inv.owner[key] = to.id
	to.ids[key], to.named[key] = claimed, now
	from.forgetClaims(key.Value)
	out.Changed = append(out.Changed, from.id, to.id)
	for i := range to.ids {
		if mac, ok := i.Shares(); ok {
			inv.inherit(to, inv.records[inv.owner[mac]], now, out)
		}
	}
	for i := range from.ids {
		if _, part := i.Shares(); part && len(from.ids) == 1 {
			inv.forget(from.id)
			out.Removed = append(out.Removed, from.id)
			return
		}
	}
}

// share reports whether two devices share a hardware address.
func (inv *Inventory) share(a, b *record) bool {
	for i := range a.ids {
		if mac, ok := i.Shares(); ok && (inv.owner[mac] == b.id || b.isPartOf(mac)) {
			return true
		}
	}
	return false
}

func (r *record) isPartOf(mac discovery.Identifier) bool {
	for i := range r.ids {
		if m, ok := i.Shares(); ok && m == mac {
			return true
		}
	}
	return false
}

// forgetClaims takes back what was heard from an address.
func (r *record) forgetClaims(addr string) {
	for by, c := range r.by {
		if c.from[addr] {
			delete(r.by, by)
		}
	}
}

// parts returns the devices that share a hardware address.
func (inv *Inventory) parts(mac discovery.Identifier) (out []*record) {
	if !inv.shared { // as in most homes
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(inv.records)) {
		if r := inv.records[id]; r.isPartOf(mac) {
			out = append(out, r)
		}
	}
	return out
}

// partAt returns the device that shares the hardware address of r and has an
// address; nil if none does.
func (inv *Inventory) partAt(r *record, weak discovery.Identifier) *record {
	p := inv.records[inv.owner[discovery.Identifier{Kind: discovery.IPID, Value: weak.Value}]]
	if p == nil || p == r {
		return nil
	}
	for i := range p.ids {
		if mac, ok := i.Shares(); ok && inv.owner[mac] == r.id {
			return p
		}
	}
	return nil
}

// partsOf returns the devices behind r that have one of the addresses, and whether
// these have all of them.
func (inv *Inventory) partsOf(r *record, weak []discovery.Identifier, now time.Time, out *Outcome) (parts []*record, all bool) {
	if len(weak) == 0 { // it is away, and so are all
		for i := range r.ids {
			if i.Kind == discovery.MACID {
				parts = append(parts, inv.parts(i)...)
			}
		}
		return parts, false
	}
	all = true
	for _, i := range weak {
		p := inv.partAt(r, i)
		if p == nil {
			all = false
			continue
		}
		key := discovery.Identifier{Kind: discovery.IPID, Value: i.Value}
		if p.named[key] = now; p.ids[key] && i.Kind == discovery.IPID {
			p.ids[key] = false
			out.Changed = append(out.Changed, p.id)
		}
		if !slices.Contains(parts, p) {
			parts = append(parts, p)
		}
	}
	return parts, all
}

// presence are the words about a hardware address that hold for all who share it.
var presence = []string{fact.DeviceKind.Name(), fact.DeviceOnline.Name(), fact.DeviceReachable.Name()}

// reportParts passes on to the devices that share a hardware address what is said of
// it: by the source that resolves addresses whether it is there, by others all, if
// it is about one of them alone.
func (inv *Inventory) reportParts(parts []*record, o discovery.Observation, out *Outcome) {
	o.Apart = nil
	if !inv.traits.Has(o.By, discovery.Resolves) {
		if len(parts) == 1 {
			inv.apply(parts[0], o, out)
		}
		return
	}
	for _, p := range parts {
		inv.apply(p, discovery.Observation{By: o.By, At: o.At, Quiet: o.Quiet, Facts: only(o.Facts, o.By, o.At)}, out)
	}
}

// inherit tells a new part what is known of the presence of the hardware address.
func (inv *Inventory) inherit(part, base *record, now time.Time, out *Outcome) {
	if base == nil {
		return
	}
	for by, c := range base.by {
		if inv.traits.Has(by, discovery.Resolves) {
			inv.apply(part, discovery.Observation{By: by, At: now, Facts: only(c.facts, by, now)}, out)
		}
	}
}

func only(e *fact.Evidence, by string, at time.Time) *fact.Evidence {
	out := fact.New(by, at)
	for _, word := range presence {
		if n, had := e.Entry(word); had {
			out.Put(n)
		}
	}
	return out
}
