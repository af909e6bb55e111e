package neighbours

import (
	"net/netip"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
)

const (
	// An address that changes hands once has a new owner, by a new lease. One
	// that changes hands disputeTurns times within disputeWithin has two (RFC 5227
	// section 2.4 calls that an address conflict). Twice is what a machine does
	// that wakes up for a moment while a sleep proxy answers for it, as Apple's do.
	disputeTurns  = 3
	disputeWithin = time.Minute
	// disputeKept is how long a dispute is reported after the last turn.
	disputeKept = time.Hour
	maxDisputes = 256
)

// dispute is an address that two neighbours claim by turns.
type dispute struct {
	owner, claimer hwaddr
	last           hwaddr // whose turn it was
	turns          int
	from, at       time.Time // of the first turn and the last
	router         bool      // the address is the home's way out: each turn counts
}

func (d *dispute) settled(now time.Time) bool {
	if d.turns < disputeTurns && !d.router {
		return now.Sub(d.from) >= disputeWithin
	}
	return now.Sub(d.at) >= disputeKept
}

// noteClaim notes that a neighbour claimed an address, by a packet or in answer to
// the kernel. Devices that may do so by design, such as routers that share an
// address, are for the inventory to judge: here none is exempt, since an attacker
// could look like them (threat T12).
func (t *neighbourTable) noteClaim(n *neighbour, addr netip.Addr, now time.Time) {
	d := t.disputes[addr]
	if d != nil && d.settled(now) {
		t.settle(addr)
		d = nil
	}
	switch {
	case d == nil:
		owner := t.owner[addr]
		if owner == nil || owner == n || owner.state != present {
			return
		}
		t.makeRoomForDispute()
		t.disputes[addr] = &dispute{owner: owner.mac, claimer: n.mac, last: n.mac, turns: 1, from: now, at: now,
			router: slices.Contains(t.networks.Gateways, addr)}
		n.changed = n.changed || t.disputes[addr].router
		return
	case n.mac == d.last || n.mac != d.owner && n.mac != d.claimer:
		return
	}
	d.last, d.at = n.mac, now
	d.turns++
	if claimer := t.hosts[d.claimer]; d.turns == disputeTurns && claimer != nil {
		if claimer.disputed == nil {
			claimer.disputed = map[netip.Addr]hwaddr{}
		}
		claimer.disputed[addr], claimer.changed = d.owner, true
	}
}

// settle ends a dispute.
func (t *neighbourTable) settle(addr netip.Addr) {
	if n := t.hosts[t.disputes[addr].claimer]; n != nil {
		delete(n.disputed, addr)
		n.changed = true
	}
	delete(t.disputes, addr)
}

func (t *neighbourTable) settleOld(now time.Time) {
	for addr, d := range t.disputes {
		owner := t.hosts[d.owner]
		gone := d.turns < disputeTurns && (owner == nil || owner.state != present) // replaced
		if d.settled(now) || gone {
			t.settle(addr)
		}
	}
}

// makeRoomForDispute drops the dispute with the fewest turns if there are too many.
func (t *neighbourTable) makeRoomForDispute() {
	if len(t.disputes) < maxDisputes {
		return
	}
	var least netip.Addr
	for addr, d := range t.disputes {
		if w := t.disputes[least]; w == nil || d.turns < w.turns || d.turns == w.turns && d.from.Before(w.from) {
			least = addr
		}
	}
	t.settle(least)
}

// disputes returns the addresses that the neighbour claims by turns with others.
func (n *neighbour) disputes() []discovery.AddressDispute {
	out := []discovery.AddressDispute{}
	for addr, owner := range n.disputed {
		out = append(out, discovery.AddressDispute{Addr: addr, Owner: discovery.Identifier{Kind: discovery.MACID, Value: owner.hex()}})
	}
	slices.SortFunc(out, func(a, b discovery.AddressDispute) int { return a.Addr.Compare(b.Addr) })
	return out
}

// tokens returns disputes as the value of address.disputed.
func tokens(disputes []discovery.AddressDispute) []string {
	out := []string{}
	for _, d := range disputes {
		out = append(out, d.Token())
	}
	slices.Sort(out)
	return out
}

// taken returns the value of address.taken for a neighbour.
func (t *neighbourTable) taken(n *neighbour) []string {
	out := []string{}
	for addr, d := range t.disputes {
		if d.router && d.claimer == n.mac {
			out = append(out, addr.String())
		}
	}
	slices.Sort(out)
	return out
}
