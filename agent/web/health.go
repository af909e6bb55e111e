package web

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

type healthList struct {
	frame
	Parts                []component
	Ailing               int
	LastScan             stamp
	Sent                 []sent
	Packets, Connections int
	Quiet                int  // devices to which nothing was sent
	Dashboard            bool // one is offered
}

type component struct{ Name, Status, Condition, Error string }

// sent is what was sent to a device.
type sent struct {
	Device               deviceRef
	Packets, Connections int
}

func (p *Page) showHealth(w http.ResponseWriter, r *http.Request, v visitor) {
	f := p.frame(r, v, "health", "Health")
	view := healthList{frame: f, Parts: components(f.snapshot), LastScan: f.stamp(f.snapshot.LastScan), Dashboard: p.opt.Dashboard != nil}
	for _, c := range view.Parts {
		if c.Status != string(discovery.OK) {
			view.Ailing++
		}
	}
	for _, d := range f.snapshot.Devices {
		if d.Sent == (report.Sent{}) {
			view.Quiet++
			continue
		}
		view.Sent = append(view.Sent, sent{f.ref(d), d.Sent.Packets, d.Sent.Connections})
		view.Packets += d.Sent.Packets
		view.Connections += d.Sent.Connections
	}
	slices.SortStableFunc(view.Sent, func(a, b sent) int {
		return cmp.Or(cmp.Compare(b.Connections, a.Connections), cmp.Compare(b.Packets, a.Packets), cmp.Compare(a.Device.Title, b.Device.Title))
	})
	p.draw(w, r, http.StatusOK, "health.html", view)
}

// components are the parts of Thingwarden, those with trouble first.
func components(s *report.Snapshot) (out []component) {
	for _, c := range s.Health {
		out = append(out, component{part(c.Name, c.Title), fact.Clean(string(c.Status), maxInfo), condition(c.Status), fact.Clean(c.Error, maxText)})
	}
	slices.SortStableFunc(out, func(a, b component) int {
		return boolFirst(a.Status != string(discovery.OK), b.Status != string(discovery.OK))
	})
	return out
}
