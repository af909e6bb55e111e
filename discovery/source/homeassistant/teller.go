package homeassistant

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/delta"
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
	told     delta.Memory
	networks []netip.Prefix // told last
	repeatAt time.Time
	forgetAt time.Time
}

func newTeller(env discovery.Env, report func(discovery.Observation)) *teller {
	return &teller{env: env, report: report}
}

// begin starts a new session, in which all is told again.
func (t *teller) begin(now time.Time) {
	t.live = true
	t.home.begin(now)
	t.forgetAt, t.repeatAt = now.Add(forgetEvery), now.Add(repeatEvery)
	t.told.RepeatAll()
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
		t.told.RepeatAll()
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
			t.told.Report(x.key(), o, presentEvery, now, t.report)
		}
	}
	clear(t.home.heard)
}

// withdraw takes back things that are no longer told, unless what they were known
// by now stands for another one.
func (t *teller) withdraw(ctx context.Context, all *things, next map[string]bool) {
	weak := false
	for _, key := range t.told.Keys() {
		if next[key] {
			continue
		}
		if ctx.Err() != nil {
			return
		}
		old, _ := t.told.Last(key)
		t.told.Forget(key)
		if slices.ContainsFunc(old.About, all.knows) {
			continue
		}
		t.report(discovery.Observation{About: old.About, Gone: true, Quiet: true})
		weak = weak || !old.About[0].Strong()
	}
	if weak {
		// The address may be that of a device of which more was told by its MAC, and
		// that went with it.
		t.told.RepeatAll()
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

// passing are the words that nobody keeps true while Home Assistant is away.
var passing = []string{fact.DeviceUpdate.Name(), fact.MDNSServices.Name(), fact.UPnPLocations.Name(), fact.IGDLocation.Name()}

// lost makes what changes by the minute unknown after a session.
func (t *teller) lost(ctx context.Context) {
	if !t.live {
		return
	}
	t.live = false
	for _, key := range t.told.Keys() {
		if ctx.Err() != nil {
			return
		}
		ev := fact.New(Name, t.env.Now())
		old, _ := t.told.Last(key)
		for _, n := range old.Facts {
			if slices.Contains(passing, n.Name) {
				ev.MarkUnknown(n.Name, fact.SourceDown)
			}
		}
		if len(ev.Entries()) > 0 {
			t.report(discovery.Observation{About: old.About, Facts: ev, Quiet: true})
		}
	}
}
