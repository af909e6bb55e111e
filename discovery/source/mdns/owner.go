package mdns

import (
	"net/netip"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
)

// restartEvery is the shortest time between two rounds of questions because
// addresses changed hands: faking that must not make the hub flood the link.
const restartEvery = 10 * time.Second

// checkOwners drops the records of addresses that have another owner now. Records
// live for up to two hours, and those of the device that left would count for the
// one that came (threat T12).
func (b *browser) checkOwners(owners map[netip.Addr]discovery.Identifier, now time.Time) {
	for _, h := range b.hosts {
		switch is := owners[h.sender()]; {
		case is == discovery.Identifier{} || is == h.owner || h.hub():
		case h.owner == discovery.Identifier{}:
			h.owner = is
		default:
			b.handOver(h, now)
		}
	}
}

// handOver retracts what was reported of the device that had an address, including
// the first records of the new owner, and starts afresh.
func (b *browser) handOver(h *host, now time.Time) {
	b.env.Log.Debug("an address has another owner: its multicast DNS records do not count any more", "host", h.sender())
	if !h.reportedAt.IsZero() {
		b.report(discovery.Observation{About: []discovery.Identifier{h.owner}, Gone: true, Quiet: true})
	}
	b.remove(h)
	for _, o := range b.hosts {
		if o.owner == h.owner { // it has other addresses, which still count
			o.force = true
			o.wake(now)
		}
	}
	if now.Sub(h.at.restarted) >= restartEvery {
		h.at.restarted = now
		h.at.restart(now)
	}
	b.wake = now
}
