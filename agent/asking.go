package agent

import (
	"sync"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

const (
	// Questions for hardware addresses, a second and at once: who sends packets
	// from many addresses must not make us flood the home.
	resolvePerSec = 50
	resolveBurst  = 128
	// sharePerSec is how many datagrams the home gets in any second from those who
	// send many: of the 300 of DESIGN section 9 the rest is for mDNS and SSDP,
	// which send few and keep to a pace of their own.
	sharePerSec = 260
)

// share counts the datagrams of the last second that went to the home, whoever
// sent them. It is safe for concurrent use.
type share struct {
	mu   sync.Mutex
	sent [sharePerSec]time.Time // a ring
	next int                    // index of the oldest
}

// pause is how long from now on the home has had its share; 0 if it has not.
func (s *share) pause(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(s.sent[s.next].Add(time.Second).Sub(now), 0)
}

// count takes datagrams that were sent from the share.
func (s *share) count(n int, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range min(n, sharePerSec) {
		s.sent[s.next] = now
		s.next = (s.next + 1) % sharePerSec
	}
}

// neverProbe reports whether the owner wants a device never probed, or calls it
// medical or an alarm. The
// source that tells the class comes once a minute, which is too late for a
// device that was just switched on. A claim is enough to be left alone.
func (a *Agent) neverProbe(d discovery.Device, ev *fact.Evidence) bool {
	if listenOnly, _ := fact.DeviceListenOnly.Get(ev); listenOnly {
		return true
	}
	for _, x := range a.opt.Config.Devices {
		if x.Class != "medical" && x.Class != "alarm" {
			continue
		}
		i, ok := discovery.ParseID(x.Match)
		claimed := discovery.Identifier{Kind: discovery.ClaimedIP, Value: i.Value}
		if ok && (d.Has(i) || i.Kind == discovery.IPID && d.Has(claimed)) {
			return true
		}
	}
	return false
}
