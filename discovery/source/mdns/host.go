package mdns

import (
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/time/rate"

	"github.com/thingwarden/thingwarden/discovery"
)

const (
	packetsPerSec = 50  // of one sender; more are dropped unread
	packetsBurst  = 400 // a hub with many bridged accessories answers in many packets
	// presentEvery is how often a host that is heard and has not changed is reported.
	presentEvery = time.Minute
	// repeatEvery is how often everything is reported again, so that facts that age
	// stay fresh.
	repeatEvery = time.Hour
	// forgetAfter is how long a host without records is remembered.
	forgetAfter = 75 * time.Minute
	// grace is how long the address of a service's host may take to arrive before
	// the service counts without it.
	grace = 1500 * time.Millisecond
	// finished is how long a new host has to announce all its services.
	finished = 5 * time.Second
)

type hostKey struct {
	link linkID
	addr netip.Addr
}

// host is one sender: an address on a link.
type host struct {
	hostKey
	cache
	at        *link
	limit     *rate.Limiter // of its packets
	questions *rate.Limiter // of our questions about it

	owner       discovery.Identifier // of the address, as was known last; zero if never
	first, last time.Time            // heard
	due         time.Time            // when serve must be called
	followUps   map[key]*followUp
	given       map[string]bool // service types that it made us browse

	reported   reported
	reportedAt time.Time         // time of the last report; zero if there was none
	active     bool              // has had records
	gone       bool              // withdrawn, and not heard since
	doubted    map[string]belief // names for which it announced others' addresses
	force      bool              // report even what has not changed
	matter     time.Time         // since when it is known to speak Matter
	foreign    bool              // describes other hosts as its own
	greedy     bool              // has used up its share
	garbled    bool              // sends unreadable records
	queriedAt  time.Time         // when the querier was last used
}

func newHost(k hostKey, l *link, total *amount, now time.Time) *host {
	return &host{
		hostKey: k, cache: newCache(total), at: l, limit: rate.NewLimiter(packetsPerSec, packetsBurst),
		questions: rate.NewLimiter(questionsPerSec, questionsBurst), first: now, last: now, due: now, followUps: map[key]*followUp{}, given: map[string]bool{}, doubted: map[string]belief{},
	}
}

// hub reports whether the sender is the hub itself.
func (h *host) hub() bool { return slices.Contains(h.at.own, h.addr) }

// sender is the address as the rest of the agent spells it.
func (h *host) sender() netip.Addr {
	if h.addr.IsLinkLocalUnicast() && h.addr.Is6() {
		return h.addr.WithZone(h.at.iface)
	}
	return h.addr
}

// wake makes serve be called at t or before.
func (h *host) wake(t time.Time) { h.due = earliest(h.due, t) }

// question queues a question on the link if there is room and the host's share is
// not used up; else h is served again later.
func (h *host) question(k key, now time.Time) bool {
	if !h.questions.AllowN(now, 1) || !h.at.enqueue(k) {
		h.wake(now.Add(time.Second))
		return false
	}
	return true
}

// refresh queries records near their end.
func (h *host) refresh(now time.Time) {
	for k, same := range h.records {
		for _, r := range same {
			due, next := r.refreshDue(now)
			if due {
				h.question(k, now)
			}
			h.wakeUnlessZero(next)
		}
	}
}

func (h *host) wakeUnlessZero(t time.Time) {
	if !t.IsZero() {
		h.wake(t)
	}
}

// missing lists the records that others of this sender point to.
func (h *host) missing() map[key]bool {
	out := map[key]bool{}
	want := func(k key) {
		if !h.has(k) && len(out) < maxHostQuestions {
			out[k] = true
		}
	}
	for k, same := range h.records {
		for _, r := range same {
			switch {
			case k.name == metaName:
				want(key{r.target, dns.TypePTR})
			case k.typ == dns.TypePTR:
				want(key{r.target, dns.TypeSRV})
				want(key{r.target, dns.TypeTXT})
			case k.typ == dns.TypeSRV:
				want(key{k.name, dns.TypeTXT})
				if a, aaaa := (key{r.target, dns.TypeA}), (key{r.target, dns.TypeAAAA}); !h.has(a) && !h.has(aaaa) {
					want(a)
					want(aaaa)
				}
			}
		}
	}
	return out
}

// follow queries what is missing.
func (h *host) follow(now time.Time) {
	missing := h.missing()
	for k := range h.followUps {
		if !missing[k] {
			delete(h.followUps, k)
		}
	}
	for k := range missing {
		a := h.followUps[k]
		if a == nil {
			a = &followUp{next: now.Add(followUpAt[0])}
			h.followUps[k] = a
		}
		if !now.Before(a.next) {
			pause := time.Second // no room
			if h.question(k, now) {
				a.tries++
				pause = hourly
				if a.tries < len(followUpAt) {
					pause = followUpAt[a.tries]
				}
			}
			a.next = now.Add(pause)
		}
		h.wake(a.next)
	}
}

// unanswered returns a service type that the host names, of which it has shown
// no instance after three queries.
func (h *host) unanswered() (typ string, ok bool) {
	for k, a := range h.followUps {
		if k.typ == dns.TypePTR && a.tries >= len(followUpAt) {
			return k.name, true
		}
	}
	return "", false
}

// silent reports whether the host can be forgotten.
func (h *host) silent(now time.Time) bool {
	return len(h.records) == 0 && now.Sub(h.last) >= forgetAfter
}
