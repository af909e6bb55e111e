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
	// presentEvery is how often a thing that is heard and has not changed is reported.
	presentEvery = time.Minute
	// repeatEvery is how often all is reported again, so that facts that age stay
	// fresh. forgetEvery is how often entries that did not come again are dropped.
	repeatEvery = 6 * time.Hour
	forgetEvery = time.Minute
)

// reporter reports what has changed of the home since its last report. It outlives
// sessions. One goroutine owns it.
type reporter struct {
	env    discovery.Env
	report func(discovery.Observation)
	home   home

	live     bool // a session goes on, or has just ended
	reported delta.Memory
	networks []netip.Prefix // last given to Env.Routed
	repeatAt time.Time
	forgetAt time.Time
}

func newReporter(env discovery.Env, report func(discovery.Observation)) *reporter {
	return &reporter{env: env, report: report}
}

// begin starts a new session, in which all is reported again.
func (r *reporter) begin(now time.Time) {
	r.live = true
	r.home.begin(now)
	r.forgetAt, r.repeatAt = now.Add(forgetEvery), now.Add(repeatEvery)
	r.reported.RepeatAll()
}

// due returns whether time alone makes a report necessary.
func (r *reporter) due(now time.Time) bool {
	changed := false
	if !now.Before(r.forgetAt) {
		r.forgetAt = now.Add(forgetEvery)
		changed = r.home.forget(now)
	}
	if !now.Before(r.repeatAt) {
		r.repeatAt = now.Add(repeatEvery)
		r.reported.RepeatAll()
		changed = true
	}
	return changed
}

// reportNetworks reports the networks of Home Assistant's machine, on change.
func (r *reporter) reportNetworks() {
	if !slices.Equal(r.networks, r.home.networks) {
		r.networks = slices.Clone(r.home.networks)
		r.env.Routed(r.networks)
	}
}

// reportChanges reports every thing that has changed since the last report, or was heard.
func (r *reporter) reportChanges(ctx context.Context, now time.Time) {
	networks := r.env.Networks()
	all := r.home.entries()
	next := map[string]bool{}
	for _, x := range all.all {
		next[x.key()] = true
	}
	r.withdraw(ctx, all, next)
	for _, x := range all.all {
		if ctx.Err() != nil {
			return
		}
		if o := all.observation(x, networks, r.env.Now()); len(o.About) > 0 {
			r.reported.Report(x.key(), o, presentEvery, now, r.report)
		}
	}
	clear(r.home.signs)
}

// withdraw reports things that went as gone, unless one of their identifiers now
// belongs to another one.
func (r *reporter) withdraw(ctx context.Context, all *entries, next map[string]bool) {
	weak := false
	for _, key := range r.reported.Keys() {
		if next[key] {
			continue
		}
		if ctx.Err() != nil {
			return
		}
		old, _ := r.reported.Last(key)
		r.reported.Forget(key)
		if slices.ContainsFunc(old.About, all.knows) {
			continue
		}
		r.report(discovery.Observation{About: old.About, Gone: true, Quiet: true})
		weak = weak || !old.About[0].Strong()
	}
	if weak {
		// The address may be that of a device of which more was reported by its MAC,
		// and that went with it.
		r.reported.RepeatAll()
	}
}

// knows reports whether an identifier is that of a thing.
func (t *entries) knows(i discovery.Identifier) bool {
	if i.Strong() {
		return t.byID[i] != nil
	}
	a, err := netip.ParseAddr(i.Value)
	return err == nil && t.byAddr[a] != nil
}

// passing are the facts that go stale at once while Home Assistant is away.
var passing = []string{fact.DeviceUpdate.Name(), fact.MDNSServices.Name(), fact.UPnPLocations.Name(), fact.IGDLocation.Name()}

// lost makes what changes by the minute unknown after a session.
func (r *reporter) lost(ctx context.Context) {
	if !r.live {
		return
	}
	r.live = false
	for _, key := range r.reported.Keys() {
		if ctx.Err() != nil {
			return
		}
		ev := fact.New(Name, r.env.Now())
		old, _ := r.reported.Last(key)
		for _, n := range old.Facts {
			if slices.Contains(passing, n.Name) {
				ev.MarkUnknown(n.Name, fact.SourceDown)
			}
		}
		if len(ev.Entries()) > 0 {
			r.report(discovery.Observation{About: old.About, Facts: ev, Quiet: true})
		}
	}
}
