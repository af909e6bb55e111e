package hass

import (
	"maps"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

// titleShown is how long a title stays as it is: Home Assistant names entities
// after it, and automations, dashboards and people follow these names.
const titleShown = time.Hour

// titleSettles is how long after a device is first identified its title still
// follows what is learned: a better name often comes seconds after maker and class,
// and nothing follows the first one yet.
const titleSettles = 2 * time.Minute

// titles are the titles under which devices are shown now.
type titles map[discovery.ID]shownTitle

type shownTitle struct {
	title             string
	since             time.Time
	settles           time.Time // until then it follows; zero until the device is identified
	identified, owned bool
}

// steady returns the snapshot with the titles that are to be shown now, and when
// the next of them may change; zero for never. The title of a device that is
// identified changes freely for two minutes, then at most once an hour; the owner's
// own comes and goes at once.
func (t titles) steady(s *report.Snapshot, now time.Time) (shown *report.Snapshot, next time.Time) {
	out := *s
	out.Devices = slices.Clone(s.Devices)
	there := map[discovery.ID]bool{}
	for i := range out.Devices {
		d := &out.Devices[i]
		there[d.ID] = true
		old, had := t[d.ID]
		until := old.since.Add(titleShown)
		settles := old.settles
		if settles.IsZero() && d.Identified {
			settles = now.Add(titleSettles)
		}
		switch {
		case had && old.title == d.Title:
			t[d.ID] = shownTitle{d.Title, old.since, settles, d.Identified, d.Owned}
		case !had || !old.identified || old.owned || d.Owned || now.Before(settles) || !now.Before(until):
			t[d.ID] = shownTitle{d.Title, now, settles, d.Identified, d.Owned}
		default:
			d.Title = old.title
			if next.IsZero() || until.Before(next) {
				next = until
			}
		}
	}
	maps.DeleteFunc(t, func(id discovery.ID, _ shownTitle) bool { return !there[id] })
	return &out, next
}
