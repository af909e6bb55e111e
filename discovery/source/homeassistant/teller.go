package homeassistant

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

const (
	// presentEvery is how often a thing that is heard and says nothing new is reported.
	presentEvery = time.Minute
	// repeatEvery is how often all is reported again, so that words that age stay
	// fresh, and how often what was not told again is looked for.
	repeatEvery = 6 * time.Hour
	forgetEvery = time.Minute
)

// teller reports what has changed of the home since it was told last. It outlives
// sessions. One goroutine owns it.
type teller struct {
	env    discovery.Env
	report func(discovery.Observation)
	home   home

	live     bool // a session goes on, or has just ended
	told     map[string]told
	networks []netip.Prefix // told last
	repeatAt time.Time
	forgetAt time.Time
}

// told is what was last reported of a thing.
type told struct {
	about    []discovery.Identifier
	via      discovery.Identifier
	name     string
	services []discovery.Service
	words    []fact.Entry
	at       time.Time
}

func newTeller(env discovery.Env, report func(discovery.Observation)) *teller {
	return &teller{env: env, report: report, told: map[string]told{}}
}

// begin starts a new session, in which all is told again.
func (t *teller) begin(now time.Time) {
	t.live = true
	t.home.begin(now)
	t.forgetAt, t.repeatAt = now.Add(forgetEvery), now.Add(repeatEvery)
	t.again()
}

// again has all be told again, as if it were new.
func (t *teller) again() {
	for key, old := range t.told {
		old.at = time.Time{}
		t.told[key] = old
	}
}

// due reports whether time alone makes it needed to tell something.
func (t *teller) due(now time.Time) bool {
	changed := false
	if !now.Before(t.forgetAt) {
		t.forgetAt = now.Add(forgetEvery)
		changed = t.home.forget(now)
	}
	if !now.Before(t.repeatAt) {
		t.repeatAt = now.Add(repeatEvery)
		t.again()
		changed = true
	}
	return changed
}

// tellNetworks tells in which networks Home Assistant is, on change.
func (t *teller) tellNetworks() {
	if !slices.Equal(t.networks, t.home.networks) {
		t.networks = slices.Clone(t.home.networks)
		t.env.Routed(t.networks)
	}
}

// tell reports every thing that differs from what was told, or that was heard.
func (t *teller) tell(ctx context.Context, now time.Time) {
	networks := t.env.Networks()
	all := t.home.things()
	next := map[string]bool{}
	for _, x := range all.all {
		next[x.key()] = true
	}
	t.withdraw(ctx, all, next)
	for _, x := range all.all {
		if ctx.Err() != nil {
			return
		}
		if o := all.observation(x, networks, t.env.Now()); len(o.About) > 0 {
			t.tellOne(x.key(), o, now)
		}
	}
	clear(t.home.heard)
}

// withdraw takes back things that are no longer told, unless what they were known
// by now stands for another one.
func (t *teller) withdraw(ctx context.Context, all *things, next map[string]bool) {
	weak := false
	for key, old := range t.told {
		if next[key] {
			continue
		}
		if ctx.Err() != nil {
			return
		}
		delete(t.told, key)
		if slices.ContainsFunc(old.about, all.knows) {
			continue
		}
		t.report(discovery.Observation{About: old.about, Gone: true, Quiet: true})
		weak = weak || !old.about[0].Strong()
	}
	if weak {
		// The address may be that of a device of which more was told by its MAC, and
		// that went with it.
		t.again()
	}
}

// knows reports whether an identifier is that of a thing.
func (t *things) knows(i discovery.Identifier) bool {
	if i.Strong() {
		return t.byID[i] != nil
	}
	a, err := netip.ParseAddr(i.Value)
	return err == nil && t.byAddr[a] != nil
}

func (t *teller) tellOne(key string, o discovery.Observation, now time.Time) {
	old, known := t.told[key]
	next := told{about: o.About, via: o.Via, name: o.Name, services: o.Services, words: o.Facts.Entries(), at: now}
	switch {
	case !known || old.at.IsZero() || !next.same(old):
	case !o.Quiet && now.Sub(old.at) >= presentEvery:
		old.at = now
		t.told[key] = old
		t.report(discovery.Observation{About: o.About})
		return
	default:
		return
	}
	for _, n := range old.words {
		if _, still := o.Facts.Entry(n.Name); !still {
			o.Facts.MarkUnknown(n.Name, fact.NotTold)
		}
	}
	if o.Services == nil && old.services != nil {
		o.Services = []discovery.Service{}
	}
	t.told[key] = next
	t.report(o)
}

func (t told) same(old told) bool {
	return t.name == old.name && t.via == old.via && slices.Equal(t.about, old.about) && slices.Equal(t.services, old.services) &&
		slices.EqualFunc(t.words, old.words, func(a, b fact.Entry) bool {
			return a.Name == b.Name && a.Proof == b.Proof && a.Why == b.Why && fact.EqualValue(a.Value, b.Value)
		})
}

// passing are the words that nobody keeps true while Home Assistant is away.
var passing = []string{fact.DeviceUpdate.Name(), fact.MDNSServices.Name(), fact.UPnPLocations.Name(), fact.IGDLocation.Name()}

// lost makes what changes by the minute unknown after a session.
func (t *teller) lost(ctx context.Context) {
	if !t.live {
		return
	}
	t.live = false
	keys := make([]string, 0, len(t.told))
	for key := range t.told {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if ctx.Err() != nil {
			return
		}
		ev := fact.New(Name, t.env.Now())
		for _, n := range t.told[key].words {
			if slices.Contains(passing, n.Name) {
				ev.MarkUnknown(n.Name, fact.SourceDown)
			}
		}
		if len(ev.Entries()) > 0 {
			t.report(discovery.Observation{About: t.told[key].about, Facts: ev, Quiet: true})
		}
	}
}
