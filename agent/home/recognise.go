package home

import (
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/product"
)

// recognise adds what the cards say of a device by what it shows.
func (c *Home) recognise(d discovery.Device, ev *fact.Evidence, now time.Time) {
	if d.ID == discovery.Hub {
		return
	}
	c.overlay(ev, c.o.Cards.Recognise(ev))
	c.overlay(ev, c.o.Cards.Suggest(ev, d.MACs(), []string{d.Name}))
	if _, known := fact.DeviceFirmwareDate.Get(ev); known {
		return
	}
	id, _ := fact.DeviceProduct.Get(ev)
	n, _ := ev.Entry(fact.DeviceFirmware.Name())
	version, ok := n.Value.(string)
	if !ok {
		return
	}
	if day, ok := c.o.Cards.FirmwareDate(id, version, now); ok {
		ev.Put(fact.Entry{Name: fact.DeviceFirmwareDate.Name(), Value: day, Proof: "version " + version, Likely: n.Likely, By: product.By, At: n.At})
	}
}

// overlay adds entries of the recogniser where nothing better is known: what is
// sure comes before what is likely, then the rank of who says so decides.
func (c *Home) overlay(ev, recognised *fact.Evidence) {
	for _, n := range recognised.Entries() {
		old, _ := ev.Entry(n.Name)
		switch {
		case !n.Known():
			ev.MarkUnknown(n.Name, n.Why)
		case !old.Known(), old.Likely && !n.Likely, old.Likely == n.Likely && c.traits.Rank(n.By) > c.traits.Rank(old.By):
			ev.Put(n)
		}
	}
}

// links are the pages of the product's maker that its card names.
func (c *Home) links(ev *fact.Evidence) report.Links {
	id, _ := fact.DeviceProduct.Get(ev)
	if card := c.o.Cards.Card(id); card != nil {
		return report.Links(card.Links)
	}
	return report.Links{}
}

// maker is who made the device, or else its network chip, as people say it.
func (c *Home) maker(d *report.Device, ev *fact.Evidence) string {
	if maker := c.o.Cards.Maker(d.Manufacturer); maker != "" {
		return maker
	}
	vendor, _ := fact.DeviceMACVendor.Get(ev)
	return c.o.Cards.Maker(vendor)
}
