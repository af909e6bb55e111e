package web

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

type uncheckedList struct {
	frame
	Checks []unchecked
	Total  int
}

// unchecked is a check that could not be made, on one or more devices.
type unchecked struct {
	Title, Policy string
	Devices       int
	Reasons       []reason
}

// reason is why a check could not be made, with the devices for which it is so.
type reason struct {
	Why, Hint string
	Words     []string
	On        []deviceRef
}

func (p *Page) showUnchecked(w http.ResponseWriter, r *http.Request, v visitor) {
	f := p.frame(r, v, "unchecked", "Not checked")
	view := uncheckedList{frame: f}
	at := map[string]int{}
	for _, d := range slices.SortedFunc(slices.Values(f.snapshot.Devices), f.byTitle) {
		for _, n := range d.NotChecked {
			i, known := at[n.Policy.ID]
			if !known {
				i = len(view.Checks)
				at[n.Policy.ID] = i
				view.Checks = append(view.Checks, unchecked{Title: fact.Clean(n.Policy.Title, 200), Policy: fact.Clean(n.Policy.ID, maxInfo)})
			}
			c := &view.Checks[i]
			c.Devices++
			view.Total++
			why := fact.Why("")
			if len(n.Missing) > 0 {
				why = n.Missing[0].Why
			}
			c.add(why, f.ref(d))
		}
	}
	slices.SortFunc(view.Checks, func(a, b unchecked) int {
		return cmp.Or(cmp.Compare(b.Devices, a.Devices), cmp.Compare(a.Title, b.Title))
	})
	p.draw(w, r, http.StatusOK, "unchecked.html", view)
}

func (c *unchecked) add(why fact.Why, d deviceRef) {
	text := cmp.Or(why.Plain(), "the reason is not known")
	for i := range c.Reasons {
		if c.Reasons[i].Why == text {
			c.Reasons[i].On = append(c.Reasons[i].On, d)
			return
		}
	}
	c.Reasons = append(c.Reasons, reason{Why: text, Hint: hint(why), On: []deviceRef{d}})
}

// hint says what would make a check possible; empty if nothing would.
func hint(why fact.Why) string {
	switch why {
	case fact.NotProbed:
		return "It will be checked by itself, at most half a day from now; “Check now” does it at once."
	case fact.TouchLevel:
		return "Allow more for this device with “touch” in the configuration."
	case fact.NoAnswer:
		return "Press “Check now” when the device is on and awake."
	case fact.SourceDown:
		return "Health says what is wrong with the part that would know."
	case fact.Stale:
		return "Press “Check now” to ask again."
	default:
		return ""
	}
}
