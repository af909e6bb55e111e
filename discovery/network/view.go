package network

import (
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
)

const (
	// keepFor is how long the networks are taken as they were read, whatever has
	// changed: links change in bursts, and a reading takes up to a millisecond.
	keepFor = 100 * time.Millisecond
	// keepUnchanged is how long while the system says that nothing has changed.
	keepUnchanged = time.Minute
)

// View is the networks as they are now. It reads them again only when the system
// says that links, addresses or routes have changed; where the system can't say
// so, each time. It is safe for concurrent use.
type View struct {
	prefixes []netip.Prefix
	log      *slog.Logger
	changed  func() bool // since it was called last

	mu      sync.Mutex // guards everything that follows
	last    discovery.Networks
	read    time.Time // last
	checked time.Time // for changes
	failed  bool
}

// NewView returns a view of the networks that Look returns, with the same errors.
// When they can't be read later, the view stays as it is and logs that once.
func NewView(prefixes []netip.Prefix, log *slog.Logger) (*View, error) {
	changed := followChanges()
	last, err := Look(prefixes)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &View{prefixes: prefixes, log: log, changed: changed, last: last, read: now, checked: now}, nil
}

// Networks returns the networks. They are not to be changed.
func (v *View) Networks() discovery.Networks {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	if now.Sub(v.checked) < keepFor {
		return v.last
	}
	v.checked = now
	if !v.changed() && !v.failed && now.Sub(v.read) < keepUnchanged {
		return v.last
	}
	v.read = now
	n, err := Look(v.prefixes)
	if err != nil {
		if !v.failed {
			v.log.Warn("network interfaces can't be read", "err", err)
		}
		v.failed = true
		return v.last
	}
	v.failed, v.last = false, n
	return v.last
}

// alwaysChanged is said where the system does not say what has changed.
func alwaysChanged() bool { return true }
