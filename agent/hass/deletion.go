package hass

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

const (
	// mostDeletions is how many devices an owner deletes within deletionsWithin; who
	// clears more of our configurations is somebody else (threat T10).
	mostDeletions   = 3
	deletionsWithin = time.Minute
	// suspectFor is how long after that no deletion is taken for the owner's.
	suspectFor = time.Hour
)

// clearings are configurations of ours that somebody else cleared.
type clearings struct {
	recent map[discovery.ID]time.Time
	until  time.Time // of suspicion
}

// cleared notes that somebody else cleared the configuration of a device: the owner
// deleted it in Home Assistant, unless that happens to many.
func (p *Publisher) cleared(id discovery.ID) {
	delete(p.published, id)
	now := p.o.Now()
	if now.Before(p.wiped.until) {
		p.suspect(now)
		p.meddled(p.n.config(id))
		return
	}
	if id == discovery.Hub { // always published
		p.meddled(p.n.config(id))
		return
	}
	if p.isDeleted(id) {
		return
	}
	maps.DeleteFunc(p.wiped.recent, func(_ discovery.ID, at time.Time) bool { return now.Sub(at) >= deletionsWithin })
	if p.wiped.recent == nil {
		p.wiped.recent = map[discovery.ID]time.Time{}
	}
	p.wiped.recent[id] = now
	if len(p.wiped.recent) > mostDeletions {
		p.suspect(now)
		return
	}
	p.o.Log.Info("the owner deleted a device in Home Assistant; it comes back when it is checked again", "device", string(id))
	p.deleted[id] = time.Time{}
}

// suspect takes it that somebody clears our topics: none of what was deleted lately
// was deleted by the owner.
func (p *Publisher) suspect(now time.Time) {
	p.wiped.until = now.Add(suspectFor)
	p.due(p.wiped.until)
	p.stirred = true
}

// hide passes on which devices the owner deleted, before anything is cleared
// because of that, and takes back those that somebody else deleted.
func (p *Publisher) hide(ctx context.Context) {
	if p.o.Now().Before(p.wiped.until) {
		p.takeBack(ctx)
	}
	for _, id := range slices.Sorted(maps.Keys(p.deleted)) {
		if !p.deleted[id].IsZero() {
			continue
		}
		err := p.command(ctx, report.Hide, id)
		if p.deleted[id] = p.o.Now(); err != nil {
			delete(p.deleted, id)
			p.o.Log.Warn("a device that was deleted in Home Assistant is shown again", "device", string(id), "error", err)
		}
	}
}

func (p *Publisher) takeBack(ctx context.Context) {
	for _, id := range slices.Sorted(maps.Keys(p.wiped.recent)) {
		confirmed, deleted := p.deleted[id]
		hidden := p.want.Device(id) != nil && p.want.Device(id).Hidden
		if hidden || deleted && !confirmed.IsZero() {
			if err := p.command(ctx, report.Unhide, id); err != nil {
				p.o.Log.Warn("a device that somebody deleted in Home Assistant stays hidden", "device", string(id), "error", err)
				continue
			}
		}
		delete(p.deleted, id)
		delete(p.wiped.recent, id)
	}
}

func (p *Publisher) command(ctx context.Context, a report.Action, id discovery.ID) error {
	return p.await(func() error { return p.o.Command(ctx, report.Command{Action: a, Device: id}) })
}

func (p *Publisher) isDeleted(id discovery.ID) bool {
	_, ok := p.deleted[id]
	return ok
}
