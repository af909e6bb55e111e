package prober

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Search is one question to all devices of the home at once, for products that
// show themselves in no other way. It is sent once a pass on each IPv4 network that
// is on link, and an answer counts as an announcement: its facts are likely, of the
// rank of what a device announces, since anyone on the network can forge the
// sender. Facts that raise a finding are for a Probe to confirm, which Signs can
// make apply by what the search reports (a service, a product).
//
// A search reaches all devices of a network, also those that are only listened to;
// with touch "listen", or a pace of 0, none is sent.
type Search struct {
	Name string // also the By of its facts; of no probe and no source: "acme-search"
	Doc  string // one sentence: what it sends, and what it never does
	// Touch is the level that it needs: Connect, or Listen if it sends nothing and
	// only hears what devices broadcast to ListenPort.
	Touch Touch
	// Gives are the words that an answer can set, sorted.
	Gives []string
	// Every is the time between two passes, at least 10 minutes.
	Every time.Duration
	// Send are sent on each network, in this order.
	Send []Datagram
	// ListenPort is the local UDP port from which they are sent, for products that
	// answer to that port alone; 0 is any. It is held for at most 10 seconds a pass,
	// and not at all if another program has it.
	ListenPort uint16
	// Applies reports, of a device that the search has not found, whether its words
	// are missing while the search could not be sent; nil means of none. It is cheap
	// and does no I/O.
	Applies func(d discovery.Device, ev *fact.Evidence) bool
	// Read reads one datagram, of at most 4,096 bytes. Of what it returns facts,
	// services and the name count; About, By and times are set for it. An error
	// means that the datagram is no answer to this search.
	Read func(from netip.AddrPort, b []byte) (discovery.Observation, error)
}

// Datagram is sent by a Search.
type Datagram struct {
	// Group is an IPv4 multicast group; the zero value is the broadcast address of
	// each network. The port of a search with the same ListenPort joins it.
	Group   netip.Addr
	Port    uint16
	Payload []byte
}

// SearchKinds are searches as the rest of the program knows those who report devices.
func SearchKinds(searches []*Search) (out []discovery.SourceKind) {
	for _, s := range searches {
		out = append(out, discovery.SourceKind{Name: s.Name, Rank: discovery.RankAnnounced})
	}
	return out
}

// The limits of one pass of a search.
const (
	searchEvery       = 10 * time.Minute // at least
	searchWait        = 3 * time.Second  // for answers, after the last datagram
	searchHold        = 10 * time.Second // of a fixed port
	maxSearches       = 8                // at the same time
	maxSenders        = 256
	maxPerSender      = 8 // datagrams
	maxSearchBytes    = 1 << 20
	maxMissedSearches = 3 // passes without an answer, after which a device's words go
)

// searching is how a search stands. The Prober's lock guards it.
type searching struct {
	running bool
	done    bool // a pass has ended
	next    time.Time
	on      string // networks of the last pass
	why     fact.Why
	problem string // "" if the last pass was complete
	told    string // problem that Health has been told
	began   time.Time
	missed  map[netip.Addr]int // by device that has answered: passes since
}

// startSearches begins the searches that are due and returns how long no other is.
// It is called with the lock held.
func (p *Prober) startSearches(ctx context.Context, passes *sync.WaitGroup) time.Duration {
	now, wait, running := p.opt.Now(), lookAgain, 0
	networks := searchable(p.opt.Networks())
	for _, st := range p.searches {
		if st.running {
			running++
		}
	}
	for i, s := range p.opt.Searches {
		st := p.searches[i]
		if s.Touch > p.allowedAll() {
			st.why = fact.TouchLevel
			continue
		}
		if st.running || len(networks) == 0 {
			continue
		}
		if on := fmt.Sprint(networks); st.on != on {
			st.next = now // there is a network that has not been searched
		}
		if st.next.After(now) {
			wait = min(wait, st.next.Sub(now))
			continue
		}
		if running == maxSearches {
			break // the end of one wakes us
		}
		running++
		st.running, st.on, st.began = true, fmt.Sprint(networks), now
		passes.Go(func() { p.endSearch(s, st, p.search(ctx, s, st, networks)) })
	}
	return wait
}

// allowedAll returns the highest touch for what reaches all devices.
func (p *Prober) allowedAll() Touch {
	if p.opt.PerDevice == 0 || p.opt.PerHouse == 0 {
		return Listen
	}
	return p.opt.Touch
}

// searchable returns the networks on which a search is sent.
func searchable(networks discovery.Networks) (out []discovery.Network) {
	for _, n := range networks.Watched {
		if n.Prefix.Addr().Is4() && n.Prefix.Bits() < 31 {
			out = append(out, n)
		}
	}
	return out
}

// searchAgain makes the searches due that a device has answered, but those of the
// last minute. It is called with the lock held.
func (p *Prober) searchAgain(ev *fact.Evidence) {
	for i, s := range p.opt.Searches {
		st := p.searches[i]
		answered := slices.ContainsFunc(ev.Entries(), func(e fact.Entry) bool { return e.By == s.Name })
		if now := p.opt.Now(); answered && now.Sub(st.began) >= changeGap {
			st.next = now
		}
	}
}

// notSearched puts into out the words that searches would tell of a device and
// could not be sent for. It is called with the lock held.
func (p *Prober) notSearched(d discovery.Device, ev, out *fact.Evidence) {
	for i, s := range p.opt.Searches {
		why := p.searches[i].why
		if why == "" || s.Applies == nil || !safelyApplies(s.Applies, d, ev) {
			continue
		}
		for _, word := range s.Gives {
			if _, had := out.Entry(word); !had {
				out.Put(fact.Entry{Name: word, By: s.Name, Why: why})
			}
		}
	}
}

// endSearch takes in how a pass ended.
func (p *Prober) endSearch(s *Search, st *searching, err error) {
	defer p.wakeUp()
	p.mu.Lock()
	defer p.mu.Unlock()
	st.running = false
	if errors.Is(err, context.Canceled) {
		return
	}
	st.done, st.next, st.why = true, p.opt.Now().Add(max(s.Every, searchEvery)), ""
	st.problem = ""
	if err != nil {
		st.why = whyNotSearched(err)
		st.problem = fact.Clean(fmt.Sprintf("The search %q is not complete: %v.", s.Name, err), fact.MaxText)
	}
}

func whyNotSearched(err error) fact.Why {
	switch {
	case errors.Is(err, ErrPortInUse):
		return fact.PortInUse
	case errors.Is(err, errLimit):
		return fact.Limit
	default:
		return fact.NotProbed
	}
}

// errLimit means that more answered than is taken in.
var errLimit = fmt.Errorf("more than %d devices answered", maxSenders)

// search is one pass: it sends, and takes in what answers.
func (p *Prober) search(ctx context.Context, s *Search, st *searching, networks []discovery.Network) error {
	began := time.Now()
	c, err := p.opt.ListenUDP(s.ListenPort)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // nothing was promised
	stop := context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	heard := make(chan error, 1)
	w := &searchPass{prober: p, search: s, conn: c, from: map[netip.Addr]*searched{}}
	go func() { heard <- w.hear() }()
	err = w.send(ctx, networks, began.Add(searchHold-searchWait))
	wait := searchWait
	if s.ListenPort != 0 && len(s.Send) == 0 {
		wait = searchHold - time.Second
	}
	end := time.Now().Add(wait)
	if hold := began.Add(searchHold); s.ListenPort != 0 && hold.Before(end) {
		end = hold
	}
	_ = c.SetReadDeadline(end)
	if ctx.Err() != nil {
		_ = c.SetReadDeadline(time.Unix(1, 0))
	}
	if hearing := <-heard; err == nil {
		err = hearing
	}
	if ctx.Err() != nil {
		return context.Canceled
	}
	w.forget(st)
	return err
}
