package web

import (
	"net/http"
	"slices"

	"github.com/thingwarden/thingwarden/policy"
)

type todo struct {
	frame
	ByDevice bool
	Problems []problem
	Devices  []troubled
	Good     []problem // good to know
	Accepted []finding
}

// problem is what is wrong, once, with the devices on which it is.
type problem struct {
	finding // of the first device, for what all share
	On      []finding
}

// troubled is a device with its problems.
type troubled struct {
	Device   deviceRef
	What     string
	Score    gauge
	Worst    string
	Problems []finding
}

func (p *Page) showToDo(w http.ResponseWriter, r *http.Request, v visitor) {
	f := p.frame(r, v, "todo", "To do")
	view := todo{frame: f, ByDevice: r.URL.Query().Get("by") == "device"}
	all := f.findings(policy.Finding.Actionable)
	if view.ByDevice {
		view.Devices = f.byDevice(all)
	} else {
		view.Problems = byProblem(all)
	}
	view.Good = byProblem(f.findings(func(x policy.Finding) bool { return x.Problem() && !x.Actionable() }))
	view.Accepted = f.findings(func(x policy.Finding) bool { return x.Status == policy.Accepted })
	p.draw(w, r, http.StatusOK, "todo.html", view)
}

func byProblem(all []finding) (out []problem) {
	at := map[string]int{}
	for _, x := range all {
		i, known := at[x.Policy]
		if !known {
			i = len(out)
			at[x.Policy] = i
			out = append(out, problem{finding: x})
		}
		x.Differs = known && (x.Summary != out[i].Summary || !slices.Equal(x.Steps, out[i].Steps))
		out[i].On = append(out[i].On, x)
	}
	return out
}

func (f frame) byDevice(all []finding) (out []troubled) {
	at := map[string]int{}
	for _, x := range all {
		i, known := at[x.Device.ID]
		if !known {
			i = len(out)
			at[x.Device.ID] = i
			for _, d := range f.snapshot.Devices {
				if string(d.ID) == x.Device.ID {
					out = append(out, troubled{Device: x.Device, What: what(d), Score: deviceGauge(d), Worst: x.Severity})
				}
			}
		}
		out[i].Problems = append(out[i].Problems, x)
	}
	return out
}
