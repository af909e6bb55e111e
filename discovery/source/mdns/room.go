package mdns

import "time"

// admit makes a host known. When there are too many, the one that was silent
// longest of those that came lately makes room, one a second: a flood of false
// senders pushes out false senders.
func (b *browser) admit(k hostKey, l *link, now time.Time) *host {
	if b.full(now) {
		if now.Sub(b.evicted) < time.Second {
			return nil
		}
		b.evicted = now
		var out *host
		for _, h := range b.hosts {
			if !h.proven() && (out == nil || h.last.Before(out.last)) {
				out = h
			}
		}
		if out == nil {
			return nil
		}
		b.withdraw(out, now)
		b.remove(out)
		b.unproven--
	}
	h := newHost(k, l, &b.total, now)
	b.hosts[k] = h
	b.unproven++
	l.welcome(now)
	return h
}

// full reports whether there are too many hosts for another one. It counts those
// that came lately at most once a second: a flood asks for each of its packets.
func (b *browser) full(now time.Time) bool {
	if b.unproven >= maxUnproven && now.Sub(b.counted) >= time.Second {
		b.counted, b.unproven = now, 0
		for _, h := range b.hosts {
			if !h.proven() {
				b.unproven++
			}
		}
	}
	return b.unproven >= maxUnproven || len(b.hosts) >= maxHosts
}

// proven reports whether the host was heard long enough to be kept.
func (h *host) proven() bool { return h.last.Sub(h.first) >= proven }
