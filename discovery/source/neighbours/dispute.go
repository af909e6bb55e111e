package neighbours

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery/inventory"
)

const (
	// An address that changes hands once has a new owner, by a new lease. One
	// that changes hands disputeTurns times within disputeWithin has two (RFC 5227
	// section 2.4 calls that an address conflict). Twice is what a machine does
	// that wakes up for a moment while another answers for it, as Apple's do.
	disputeTurns  = 3
	disputeWithin = time.Minute
	// disputeKept is how long a dispute is told after the last turn.
	disputeKept = time.Hour
	maxDisputes = 256
)

// dispute is an address that two neighbours claim by turns.
type dispute struct {
	owner, claimer hwaddr
	last           hwaddr // whose turn it was
	turns          int
	from, at       time.Time // of the first turn and the last
}

func (d *dispute) settled(now time.Time) bool {
	if d.turns < disputeTurns {
		return now.Sub(d.from) >= disputeWithin
	}
	return now.Sub(d.at) >= disputeKept
}

// noteClaim notes that a neighbour said that an address is its own, by a packet or
// in answer to the kernel.
func (t *neighbourTable) noteClaim(n *neighbour, addr netip.Addr, now time.Time) {
	d := t.disputes[addr]
	if d != nil && d.settled(now) {
		t.settle(addr)
		d = nil
	}
	switch {
	case d == nil:
		owner := t.owner[addr]
		if owner == nil || owner == n || owner.state != present || oneRouter(owner.mac, n.mac) || t.sameName(owner, n) {
			return
		}
		t.makeRoomForDispute()
		t.disputes[addr] = &dispute{owner: owner.mac, claimer: n.mac, last: n.mac, turns: 1, from: now, at: now}
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

// sameName reports whether two neighbours are interfaces of one machine, as far
// as the name tells with which both asked for an address.
func (t *neighbourTable) sameName(a, b *neighbour) bool { return a.name != "" && a.name == b.name }

// oneRouter reports whether one of two addresses is of those that several routers
// share by design: VRRP (RFC 9568 section 7.3), HSRP (RFC 2281 section 5.1, and
// its version 2) and GLBP.
func oneRouter(a, b hwaddr) bool {
	shared := func(m hwaddr) bool {
		return slices.ContainsFunc([][]byte{
			{0, 0, 0x5e, 0, 1}, {0, 0, 0x5e, 0, 2}, {0, 0, 0x0c, 0x07, 0xac}, {0, 0, 0x0c, 0x9f}, {0, 0x07, 0xb4},
		}, func(prefix []byte) bool { return bytes.HasPrefix(m[:], prefix) })
	}
	return shared(a) || shared(b)
}

// settle ends a dispute.
func (t *neighbourTable) settle(addr netip.Addr) {
	if n := t.hosts[t.disputes[addr].claimer]; n != nil {
		if _, told := n.disputed[addr]; told {
			delete(n.disputed, addr)
			n.changed = true
		}
	}
	delete(t.disputes, addr)
}

func (t *neighbourTable) settleOld(now time.Time) {
	for addr, d := range t.disputes {
		if d.settled(now) {
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

// disputes returns what the word address.disputed says of a neighbour.
func (n *neighbour) disputes() []string {
	out := []string{}
	for addr, owner := range n.disputed {
		out = append(out, inventory.Disputed(addr, owner.String()))
	}
	slices.Sort(out)
	return out
}
