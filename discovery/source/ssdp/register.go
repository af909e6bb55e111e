package ssdp

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/upnp"
)

const (
	// reportEvery is the shortest time between two reports on a device.
	reportEvery = 5 * time.Second
	// presentEvery is how often a device that is heard and has not changed is reported.
	presentEvery = 5 * time.Minute
	// forgetAfter is how long a device must be silent until it counts as gone: a
	// dozen searches unanswered, or the longest that announcements are valid.
	forgetAfter          = time.Hour
	forgetAfterListening = 24 * time.Hour
	locationForgotten    = 30 * time.Minute
	roundsUntilNoAnswer  = 3
)

// register keeps what each sender announced. One goroutine owns it.
type register struct {
	env    discovery.Env
	report func(discovery.Observation)
	forget time.Duration

	senders map[netip.Addr]*sender
	silent  map[netip.Addr]bool // gateways that were reported not to answer
}

type sender struct {
	addr      netip.Addr
	last      time.Time            // heard
	locations map[string]time.Time // valid ones, and when each was last heard
	gateway   string               // the location at which it is an Internet gateway
	server    string               // first SERVER header, cleaned

	reported        []string // locations
	reportedGateway string
	reportedServer  string
	reportedAt      time.Time
	refused         bool // a location was refused, and that was logged
}

func newRegister(env discovery.Env, report func(discovery.Observation)) *register {
	r := &register{env: env, report: report, forget: forgetAfter, senders: map[netip.Addr]*sender{}, silent: map[netip.Addr]bool{}}
	if env.ListenOnly {
		r.forget = forgetAfterListening
	}
	return r
}

func (r *register) run(ctx context.Context, in <-chan message, rounds <-chan int) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-in:
			r.receive(m, time.Now())
		case n := <-rounds:
			// By the time the next one is due the answers to the one before are in.
			if n > roundsUntilNoAnswer {
				r.reportSilentGateways()
			}
		case <-tick.C:
			r.work(time.Now())
		}
	}
}

// receive takes a message in. Nothing in it is trusted; the sender's address is
// all that is known.
func (r *register) receive(m message, now time.Time) {
	if err := upnp.CheckLocation(m.location, m.from); err != nil {
		if s := r.senders[m.from]; s != nil && !s.refused {
			s.refused = true
			r.env.Log.Debug("an SSDP location is not used", "from", m.from, "error", err)
		}
		return
	}
	s := r.senders[m.from]
	if s == nil {
		if len(r.senders) >= maxSenders {
			return
		}
		s = &sender{addr: m.from, locations: map[string]time.Time{}}
		r.senders[m.from] = s
	}
	s.last = now
	s.locations[m.location] = now
	if s.server == "" {
		s.server = fact.Clean(m.server, fact.MaxText)
	}
	if len(s.locations) > upnp.MaxLocations {
		delete(s.locations, s.oldest())
	}
	if upnp.IsGateway(m.kind) {
		s.gateway = m.location
	}
}

func (s *sender) oldest() (out string) {
	for l, at := range s.locations {
		if out == "" || at.Before(s.locations[out]) || at.Equal(s.locations[out]) && l < out {
			out = l
		}
	}
	return out
}

// work reports what has changed, and forgets silent senders.
func (r *register) work(now time.Time) {
	for addr, s := range r.senders {
		if now.Sub(s.last) >= r.forget {
			delete(r.senders, addr)
			r.report(discovery.Observation{About: s.about(), Gone: true, Quiet: true})
			continue
		}
		if now.Sub(s.reportedAt) >= reportEvery {
			r.reportChange(s, now)
		}
	}
}

func (s *sender) about() []discovery.Identifier { return []discovery.Identifier{discovery.IP(s.addr)} }

// reportChange reports a sender that has changed, and now and then that it is there.
func (r *register) reportChange(s *sender, now time.Time) {
	maps.DeleteFunc(s.locations, func(l string, at time.Time) bool {
		return l != s.gateway && s.last.Sub(at) > locationForgotten
	})
	locations := slices.Sorted(maps.Keys(s.locations))
	same := slices.Equal(locations, s.reported) && s.gateway == s.reportedGateway && s.server == s.reportedServer
	o := discovery.Observation{About: s.about(), Quiet: now.Sub(s.last) > 2*reportEvery}
	switch {
	case !same:
		o.Facts = fact.New(name, r.env.Now())
		if s.gateway != "" {
			delete(r.silent, s.addr)
		}
		o.Services = upnp.Describe(o.Facts, s.addr, locations, s.gateway)
		if s.server != "" {
			fact.SSDPServer.Set(o.Facts, s.server, "SSDP SERVER")
		}
		s.reported, s.reportedGateway, s.reportedServer = locations, s.gateway, s.server
	case now.Sub(s.reportedAt) < presentEvery || o.Quiet:
		return
	}
	s.reportedAt = now
	r.report(o)
}

// reportSilentGateways reports the gateways of the home that do not answer as one
// by UPnP. That is not the same as having UPnP switched off.
func (r *register) reportSilentGateways() {
	for _, a := range r.env.Networks().Gateways {
		if s := r.senders[a]; !a.Is4() || r.silent[a] || s != nil && s.gateway != "" {
			continue
		}
		r.silent[a] = true
		e := fact.New(name, r.env.Now())
		fact.IGDOn.Unknown(e, fact.NoAnswer)
		r.report(discovery.Observation{About: []discovery.Identifier{discovery.IP(a)}, Facts: e, Quiet: true})
	}
}
