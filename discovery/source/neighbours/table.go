package neighbours

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/inventory"
)

// Bounds on memory that unknown senders can claim (threat T14).
const (
	maxNeighbours  = inventory.MaxDevices
	maxUnconfirmed = 250 // of them: seen in packets only; twice that if nobody may be probed
	maxAddrs       = 24  // of one device
	leftAfter      = 3   // unanswered probes after which a device has left an address
)

// timing holds the periods of the source.
type timing struct {
	offlineAfter time.Duration // without any answer, until a device counts as away
	sweepEvery   time.Duration // between two gentle sweeps
	signEvery    time.Duration // between two identical reports of a device
}

func defaultTiming() timing {
	return timing{offlineAfter: 10 * time.Minute, sweepEvery: 5 * time.Minute, signEvery: time.Minute}
}

// neighbourTable is what is known about the neighbours, and decides what to report
// and which addresses to probe. It does no I/O and has no clock; one goroutine
// owns it.
type neighbourTable struct {
	timing
	listenOnly bool
	networks   discovery.Networks
	own        map[hwaddr]bool
	hosts      map[hwaddr]*neighbour
	owner      map[netip.Addr]*neighbour // confirmed by the kernel
	disputes   map[netip.Addr]*dispute
	strangers  *rate.Limiter // devices seen in packets only
	dropped    time.Time     // when one was last ignored for that limit

	report    func(discovery.Observation)
	planProbe func(addr netip.Addr, in time.Duration)
}

// neighbour is one hardware address.
type neighbour struct {
	mac         hwaddr
	addrs       map[netip.Addr]*addrState
	proof       string
	name, named string // hostname and its proof
	dhcp        dhcpClient
	confirmed   bool // the kernel got an answer from it
	state       presence
	alive       time.Time // last sign of life
	rounds      int       // of probes since then, all without an answer
	changed     bool      // not reported yet
	reported    time.Time
	limit       *rate.Limiter         // of reports
	lost        bool                  // its last address went to another
	disputed    map[netip.Addr]hwaddr // addresses that it claims by turns with another
}

// presence is whether a neighbour answers.
type presence int

const (
	present presence = iota
	away
	outOfSight // its network is not connected, or it must not be probed
)

// addrState is one address of a neighbour.
type addrState struct {
	proof     string
	confirmed bool      // the kernel got an answer for it from this neighbour
	reachable bool      // and considers it fresh
	lastSign  time.Time // last sign of it
	probes    int       // probes since it was claimed
	failed    int       // attempts of the kernel since the last answer
	again     time.Time // when to probe next, while it is only claimed
}

func newNeighbourTable(t timing, report func(discovery.Observation), planProbe func(netip.Addr, time.Duration)) *neighbourTable {
	return &neighbourTable{
		timing: t, own: map[hwaddr]bool{}, hosts: map[hwaddr]*neighbour{}, owner: map[netip.Addr]*neighbour{}, disputes: map[netip.Addr]*dispute{},
		strangers: rate.NewLimiter(rate.Every(2*time.Second), 128), report: report, planProbe: planProbe,
	}
}

// sight takes in what a packet on an interface reports about its sender. Only a later
// answer to the kernel proves that an address is its own.
func (t *neighbourTable) sight(ifindex int, s sighting, now time.Time) {
	addr := t.place(s.addr, ifindex)
	if t.own[s.mac] || !s.mac.unicast() || t.networks.Own(s.addr) {
		return
	}
	if s.addr.IsValid() && !addr.IsValid() {
		return // from another network, or no address of one device
	}
	n := t.hosts[s.mac]
	if n == nil {
		if n = t.stranger(s.mac, now); n == nil {
			return
		}
	}
	t.live(n, now)
	n.learn(s)
	if addr.IsValid() {
		t.noteClaim(n, addr, now)
		t.claim(n, addr, s.proof, now)
	}
	if soon := t.place(s.soon, ifindex); soon.IsValid() && t.owner[soon] != n {
		const settled = 3 * time.Second // RFC 5227 and RFC 4862: until then it must not answer
		t.probe(soon, settled)
	}
	t.reportChange(n, now)
}

// claim notes that a neighbour claims an address.
func (t *neighbourTable) claim(n *neighbour, addr netip.Addr, proof string, now time.Time) {
	if a := n.addrs[addr]; a != nil {
		a.lastSign = now
		return
	}
	if other := t.owner[addr]; other != nil && other != n {
		t.probe(addr, 0) // moved, or a false claim: the kernel finds out
		return
	}
	if !t.room(n, false) {
		return
	}
	n.addrs[addr] = &addrState{proof: proof, lastSign: now, probes: 1, again: now.Add(probeGap)}
	n.changed = true
	t.probe(addr, 0)
}

// resolved takes in that a neighbour answered the kernel for an address.
func (t *neighbourTable) resolved(ifindex int, addr netip.Addr, mac hwaddr, now time.Time) {
	addr = t.place(addr, ifindex)
	if !addr.IsValid() || t.own[mac] || !mac.unicast() {
		return
	}
	n := t.hosts[mac]
	if n == nil {
		if n = t.add(mac, now); n == nil {
			return
		}
	}
	t.live(n, now)
	t.noteClaim(n, addr, now)
	a := n.addrs[addr]
	if a == nil {
		if !t.room(n, true) {
			return
		}
		a = &addrState{}
		n.addrs[addr] = a
	}
	if other := t.owner[addr]; other != nil && other != n {
		t.disown(other, addr, now)
	}
	if !a.confirmed {
		a.confirmed, n.confirmed, n.lost, n.changed = true, true, false, true
		a.proof = fmt.Sprintf("neighbour table: %s lladdr %s reachable", addr, mac)
		n.proof = a.proof
		t.owner[addr] = n
	}
	a.reachable, a.lastSign, a.failed = true, now, 0
	t.reportChange(n, now)
}

// remembered takes in a stale entry of the kernel: the owner of an address as of
// some time ago, without an answer since.
func (t *neighbourTable) remembered(ifindex int, addr netip.Addr, mac hwaddr, ago time.Duration, now time.Time) {
	addr = t.place(addr, ifindex)
	if !addr.IsValid() || t.own[mac] || !mac.unicast() {
		return
	}
	if n := t.owner[addr]; n != nil && n.mac == mac {
		n.addrs[addr].reachable = false
		return
	}
	t.probe(addr, 0)
	n := t.hosts[mac]
	if n != nil && ago < t.offlineAfter {
		t.noteClaim(n, addr, now)
	}
	if ago >= t.offlineAfter || t.owner[addr] != nil {
		return
	}
	if n == nil {
		if n = t.stranger(mac, now); n == nil {
			return
		}
		n.alive = now.Add(-ago)
		n.proof = fmt.Sprintf("neighbour table: %s lladdr %s stale", addr, mac)
	}
	t.claim(n, addr, n.proof, now)
	t.reportChange(n, now)
}

// unresolved takes in that the kernel cannot, or can no longer, resolve an address.
// A neighbour that is present by another address has then left this one, as after
// a new lease: kept, it would be the one that is probed, in vain.
func (t *neighbourTable) unresolved(ifindex int, addr netip.Addr) {
	addr = t.place(addr, ifindex)
	n := t.owner[addr]
	if n == nil {
		return
	}
	a := n.addrs[addr]
	a.reachable = false
	a.failed++
	elsewhere := slices.ContainsFunc(slices.Collect(maps.Values(n.addrs)), func(b *addrState) bool { return b.reachable })
	if a.failed >= leftAfter && n.state == present && elsewhere {
		t.forget(n, addr)
		n.changed = true
	}
}

// doubt takes in that changes were missed: which entries are fresh is unknown.
func (t *neighbourTable) doubt() {
	for _, n := range t.hosts {
		for _, a := range n.addrs {
			a.reachable = false
		}
	}
}

// connected takes in the networks that are watched now, and the hub's own hardware
// addresses.
func (t *neighbourTable) connected(networks discovery.Networks, own map[hwaddr]bool, now time.Time) {
	t.networks, t.own = networks, own
	for _, n := range t.sorted() {
		if t.inSight(n) {
			if n.state == outOfSight && !t.listenOnly {
				n.alive, n.rounds = now, 0 // it gets its full time to answer
			}
			continue
		}
		for _, a := range n.addrs {
			a.reachable = false
		}
		t.become(n, outOfSight, now)
	}
}

// disown takes an address from a neighbour because another one has it.
func (t *neighbourTable) disown(n *neighbour, addr netip.Addr, now time.Time) {
	t.forget(n, addr)
	n.lost, n.changed = len(n.addrs) == 0, true
	t.reportChange(n, now)
}

// forget drops an address of a neighbour.
func (t *neighbourTable) forget(n *neighbour, addr netip.Addr) {
	delete(n.addrs, addr)
	if t.owner[addr] == n {
		delete(t.owner, addr)
	}
}

func (n *neighbour) hasConfirmed() bool {
	for _, a := range n.addrs {
		if a.confirmed {
			return true
		}
	}
	return false
}

// place returns the address with the zone that it has on the interface, or an
// invalid one if no device on a watched network can have it.
func (t *neighbourTable) place(addr netip.Addr, ifindex int) netip.Addr {
	addr = addr.Unmap().WithZone("")
	for _, w := range t.networks.Watched {
		if w.Index != ifindex || !w.Prefix.Contains(addr) || t.networks.Own(addr) {
			continue
		}
		if addr.IsMulticast() || addr.IsUnspecified() || addr.IsLoopback() {
			continue
		}
		if p := w.Prefix; addr.Is4() && p.Bits() < 31 && (addr == p.Masked().Addr() || addr == lastOf(p)) {
			continue
		}
		if addr.Is6() && addr.IsLinkLocalUnicast() {
			return addr.WithZone(w.Interface)
		}
		return addr
	}
	return netip.Addr{}
}

func (t *neighbourTable) onLink(a netip.Addr) bool {
	_, ok := t.networks.OnLink(a)
	return ok
}

func (t *neighbourTable) probe(addr netip.Addr, in time.Duration) {
	if !t.listenOnly {
		t.planProbe(addr, in)
	}
}

func (t *neighbourTable) sorted() []*neighbour {
	return slices.SortedFunc(maps.Values(t.hosts), func(a, b *neighbour) int { return slices.Compare(a.mac[:], b.mac[:]) })
}
