package neighbours

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/oui"
)

// tick does what is due: it reports what was held back, probes neighbours that
// have been silent, and notices those that went away.
func (t *neighbourTable) tick(now time.Time) {
	t.settleOld(now)
	for _, n := range t.sorted() {
		for addr, a := range n.addrs {
			if a.reachable {
				t.live(n, now)
				t.reportChange(n, now)
			}
			t.probeClaim(n, addr, a, now)
		}
		if n.changed {
			t.reportChange(n, now)
		}
		t.checkPresence(n, now)
	}
}

// probeClaim probes an address that is only claimed, ever more rarely, and
// forgets it after the last probe without an answer.
func (t *neighbourTable) probeClaim(n *neighbour, addr netip.Addr, a *addrState, now time.Time) {
	const tries = 5 // over 2, 6, 18, 54 seconds
	if a.confirmed || now.Before(a.again) || t.listenOnly {
		return
	}
	if a.probes >= tries {
		delete(n.addrs, addr)
		return
	}
	a.probes++
	wait := probeGap
	for range a.probes - 1 {
		wait *= 3
	}
	a.again = now.Add(wait)
	t.probe(addr, 0)
}

func (t *neighbourTable) checkPresence(n *neighbour, now time.Time) {
	const rounds = 5
	silent := now.Sub(n.alive)
	if n.state == away || n.state == outOfSight && (t.listenOnly || !t.inSight(n)) {
		return
	}
	if silent >= t.offlineAfter && (n.rounds >= 3 || !n.hasConfirmed()) {
		if t.listenOnly {
			t.become(n, outOfSight, now)
			return
		}
		t.become(n, away, now)
		return
	}
	if silent < t.offlineAfter*time.Duration(n.rounds+1)/rounds {
		return
	}
	n.rounds++
	sent := 0
	for _, addr := range slices.SortedFunc(maps.Keys(n.addrs), netip.Addr.Compare) {
		if n.addrs[addr].confirmed && t.onLink(addr) && sent < 3 {
			t.probe(addr, 0)
			sent++
		}
	}
}

// live notes a sign of life.
func (t *neighbourTable) live(n *neighbour, now time.Time) {
	n.alive, n.rounds = now, 0
	if n.state != present {
		n.state, n.changed = present, true
	}
}

func (t *neighbourTable) become(n *neighbour, p presence, now time.Time) {
	if n.state != p {
		n.state, n.changed = p, true
		t.reportChange(n, now)
	}
}

// reportChange reports a neighbour if there is something new, or if it is time for
// another sign of life.
func (t *neighbourTable) reportChange(n *neighbour, now time.Time) {
	if !n.changed && now.Sub(n.reported) < t.signEvery {
		return
	}
	if n.changed && !n.limit.AllowN(now, 1) {
		return // tick comes back to it
	}
	n.changed, n.reported = false, now
	t.report(n.observation(t.taken(n), now))
}

// learn takes in what a packet reports about its sender.
func (n *neighbour) learn(s sighting) {
	if s.name != "" && s.name != n.name {
		n.name, n.named, n.changed = s.name, s.named, true
	}
	if client := s.dhcp.or(n.dhcp); client != n.dhcp {
		n.dhcp, n.changed = client, true
	}
	if n.proof == "" {
		n.proof = s.proof
	}
}

func (n *neighbour) observation(taken []string, now time.Time) discovery.Observation {
	mac, _ := discovery.MAC(n.mac.hex())
	e := fact.New(name, now)
	o := discovery.Observation{About: []discovery.Identifier{mac}, Name: n.name, Facts: e, Quiet: n.state != present}
	fact.DeviceKind.Set(e, "lan", n.proof)
	fact.DeviceMACRandom.Set(e, oui.Random(mac.Value), n.mac.String())
	if vendor, ok := oui.Vendor(mac.Value); ok {
		fact.DeviceMACVendor.Set(e, vendor, n.mac.String())
	}
	if n.name != "" {
		fact.DeviceHostname.Set(e, n.name, n.named)
	}
	n.dhcp.setFacts(e)
	n.setPresence(e, now)
	if n.state == outOfSight {
		fact.AddressDisputed.Unknown(e, fact.SourceDown)
		fact.AddressTaken.Unknown(e, fact.SourceDown)
	} else {
		fact.AddressTaken.Set(e, taken, n.proof)
		o.Disputed = n.disputes()
		fact.AddressDisputed.Set(e, tokens(o.Disputed), n.proof)
	}
	if n.state != present {
		return o // its addresses may be another's by now
	}
	for _, addr := range slices.SortedFunc(maps.Keys(n.addrs), netip.Addr.Compare) {
		if a := n.addrs[addr]; a.confirmed {
			o.About = append(o.About, discovery.IP(addr))
			fact.DeviceReachable.Set(e, true, a.proof)
		} else {
			o.About = append(o.About, discovery.Claimed(addr))
		}
	}
	return o
}

func (n *neighbour) setPresence(e *fact.Evidence, now time.Time) {
	switch n.state {
	case present:
		fact.DeviceOnline.Set(e, true, n.proof)
		if n.lost {
			fact.DeviceReachable.Set(e, false, "neighbour table: its address belongs to another device")
		}
	case away:
		fact.DeviceOnline.Set(e, false, fmt.Sprintf("neighbour table: no answer to %d probes since %s", n.rounds, n.alive.UTC().Format(time.RFC3339)))
	case outOfSight:
		fact.DeviceOnline.Unknown(e, fact.SourceDown)
	}
}

// inSight reports whether a neighbour could be heard now.
func (t *neighbourTable) inSight(n *neighbour) bool {
	if len(n.addrs) == 0 {
		return len(t.networks.Watched) > 0
	}
	return slices.ContainsFunc(slices.Collect(maps.Keys(n.addrs)), t.onLink)
}

// fresh reports whether the kernel has a recent answer for an address.
func (t *neighbourTable) fresh(addr netip.Addr) bool {
	n := t.owner[addr]
	return n != nil && n.addrs[addr].reachable
}

// recall probes the IPv6 addresses of neighbours that are not present, which no
// sweep reaches.
func (t *neighbourTable) recall() {
	for _, n := range t.sorted() {
		for addr, a := range n.addrs {
			if n.state != present && addr.Is6() && a.confirmed && t.onLink(addr) {
				t.probe(addr, 0)
			}
		}
	}
}
