package neighbours

import (
	"net/netip"
	"time"

	"golang.org/x/time/rate"
)

// stranger makes an entry for a device that is known from packets only, unless
// there have been too many of them.
func (t *neighbourTable) stranger(mac hwaddr, now time.Time) *neighbour {
	if !t.strangers.AllowN(now, 1) {
		t.dropped = now
		return nil
	}
	return t.add(mac, now)
}

// add makes an entry, in place of the least useful one when there are too many;
// nil if every other one is more useful.
func (t *neighbourTable) add(mac hwaddr, now time.Time) *neighbour {
	if len(t.hosts) >= t.mostUnconfirmed() && !t.makeRoom() {
		t.dropped = now
		return nil
	}
	n := &neighbour{mac: mac, addrs: map[netip.Addr]*addrState{}, alive: now, changed: true, limit: rate.NewLimiter(1, 5)}
	t.hosts[mac] = n
	return n
}

func (t *neighbourTable) mostUnconfirmed() int {
	if t.listenOnly {
		return 2 * maxUnconfirmed
	}
	return maxUnconfirmed
}

// makeRoom drops the least useful neighbour if there are too many; false if
// there is none but those that are there.
func (t *neighbourTable) makeRoom() bool {
	unconfirmed := 0
	var least *neighbour
	for _, n := range t.hosts {
		if !n.confirmed {
			unconfirmed++
		}
		if least == nil || n.moreDispensable(least) {
			least = n
		}
	}
	if len(t.hosts) < maxNeighbours && unconfirmed < t.mostUnconfirmed() {
		return true
	}
	if least.confirmed && least.state == present {
		return false
	}
	for addr := range least.addrs {
		t.forget(least, addr)
	}
	delete(t.hosts, least.mac)
	return true
}

func (n *neighbour) moreDispensable(than *neighbour) bool {
	if n.confirmed != than.confirmed {
		return !n.confirmed
	}
	if (n.state == present) != (than.state == present) {
		return n.state != present
	}
	return n.alive.Before(than.alive)
}

// room makes room for another address of a neighbour. The oldest claim gives
// way first; for an address that the kernel has confirmed, also the IPv6 address
// that was not heard of for longest, since devices change those daily (RFC 8981).
func (t *neighbourTable) room(n *neighbour, confirmed bool) bool {
	if len(n.addrs) < maxAddrs {
		return true
	}
	var worst netip.Addr
	for addr, a := range n.addrs {
		if a.confirmed && (addr.Is4() || !confirmed) {
			continue
		}
		if w := n.addrs[worst]; w == nil || !a.confirmed && w.confirmed || a.confirmed == w.confirmed && a.lastSign.Before(w.lastSign) {
			worst = addr
		}
	}
	if !worst.IsValid() {
		return false
	}
	t.forget(n, worst)
	return true
}
