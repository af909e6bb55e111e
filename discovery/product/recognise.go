package product

import (
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// By is the name under which the recogniser sets words.
const By = "product"

// Recognise returns what the cards say of a device by the signs in its evidence:
// device.manufacturer, device.model, device.product, device.class,
// device.firmware and the name that it announces. Where two cards prove
// different things the word is unknown (fact.Conflict). The result is empty for a
// device that no card knows.
func (c *Cards) Recognise(ev *fact.Evidence) *fact.Evidence {
	out := fact.New(By, time.Time{})
	found := c.matches(signsOf(ev))
	for _, w := range resolved(found) {
		if w.conflict {
			out.MarkUnknown(w.word, fact.Conflict)
			continue
		}
		out.Put(fact.Entry{Name: w.word, Value: fact.Clean(w.value, fact.MaxText), Likely: w.from.Likely,
			By: By, At: w.from.At, Proof: fact.Clean(w.from.Proof, fact.MaxText)})
	}
	return out
}

// resolution is what the matches give to a word.
type resolution struct {
	word, value string
	from        Match
	conflict    bool
}

// The order in which matches decide. A product that is recognised by itself
// comes before one that may run on, or be spoken by, anything; but such a
// protocol proves the class where the rest only suggests it.
var (
	identityOrder = []int{0, 1, 2, 3}
	classOrder    = []int{0, 2, 1, 3}
)

// resolved gives each word the value on which all matches of the first tier that
// has one agree.
func resolved(found []Match) (all []resolution) {
	for _, w := range []struct {
		word  string
		order []int
		value func(Match) string
	}{
		{fact.DeviceProduct.Name(), identityOrder, func(m Match) string { return m.Product.ID }},
		{fact.DeviceManufacturer.Name(), identityOrder, Match.Maker},
		{fact.DeviceClass.Name(), classOrder, func(m Match) string { return m.Product.Class }},
		{fact.DeviceModel.Name(), identityOrder, func(m Match) string { return m.Named["model"] }},
		{fact.DeviceFirmware.Name(), identityOrder, func(m Match) string { return m.Named["version"] }},
		{fact.DeviceFriendlyName.Name(), identityOrder, func(m Match) string { return m.Named["name"] }},
	} {
		for _, tier := range w.order {
			r := resolution{word: w.word}
			for _, m := range found {
				v := w.value(m)
				switch {
				case v == "" || m.tier() != tier:
				case r.value == "":
					r.value, r.from = v, m
				case r.value != v:
					r.conflict = true
				}
			}
			if r.value != "" {
				all = append(all, r)
				break
			}
		}
	}
	return slices.Clip(all)
}

// Maker is the maker that the device names, else the card's. A fallback product
// says nothing of who made the machine.
func (m Match) Maker() string {
	if named := m.Named["maker"]; named != "" {
		return named
	}
	if m.Product.Fallback {
		return ""
	}
	return m.Product.card.Maker
}
