// Package product says what a device is: which maker, product, model and class
// the signs that it shows belong to. What is known of a maker's products is
// data, one card a maker in <maker>/card.yaml; README.md is its format.
//
// It asks no device anything: probes and sources set the words that cards read.
// It does not decide between its own result and what a bridge or the device
// itself reports (package inventory does), nor which name an owner reads
// (report.Titles does).
package product

import (
	"io/fs"
	"slices"
)

// Card is what is known of the products of one maker.
type Card struct {
	Folder        string              // name of the card's folder
	Maker         string              // as people write it; "" on a card of what many makers share
	HomeAssistant []string            // domains of the Home Assistant integrations that serve it
	Links         Links               // where the maker keeps what an owner needs
	Products      []*Product          // the more specific before the more general one
	Remedies      map[string][]string // first steps on this maker's products, by policy id
	Examples      []Example           // run by the package's test; Load leaves them out
}

// Links are pages of the maker, each an https address or "".
type Links struct{ Updates, Security, Manual string }

// Product is one entry of a card: a family of products that show themselves and
// are dealt with in the same way.
type Product struct {
	ID       string // value of device.product; "" if only the class is known
	Class    string // value of device.class; "" if products of this id are of several
	Fallback bool   // counts only where no other product does: see README.md
	Shown    []Line // any of them proves the product
	Likely   []Line // any of them suggests it

	card  *Card
	order int // in its card
	dates []dateRule
}

// Card returns the card that the product stands on.
func (p *Product) Card() *Card { return p.card }

// Line is a set of signs that an answer shows together.
type Line struct {
	Signs []Sign
	Seen  string // public address or repository path of a recorded answer; Load leaves it out
}

// Sign is a word and what it must look like.
type Sign struct {
	Word string
	pattern
}

// Example is what a device shows, and what it then is.
type Example struct {
	Shows  map[string][]string
	Is     string // product id; "" for none
	Likely bool
	Want   map[string]string // further values by group name, such as model
	At     string            // file:line
}

// Cards is the set of all cards. It does not change and is safe for concurrent
// use.
type Cards struct {
	cards    []*Card
	products map[string][]*Product
	index    index
	compiled *compiled

	integrations *integrations
	makers       makers
}

func newCards() *Cards {
	return &Cards{products: map[string][]*Product{}, integrations: newIntegrations(""), compiled: &compiled{}}
}

// Load reads the cards that are part of the program, as "make generate" packed
// them. The package's test keeps the error nil.
func Load() (*Cards, error) {
	c, err := unpack(packed)
	if err != nil {
		return nil, err
	}
	c.integrations, c.makers = newIntegrations(integrationTable), newMakers(makerTable)
	return c, nil
}

// Parse reads all */card.yaml of a file system. The error lists every fault as
// file:line: key: what is wrong.
func Parse(fsys fs.FS) (*Cards, error) {
	files, err := fs.Glob(fsys, "*/card.yaml")
	if err != nil {
		return nil, err
	}
	c := newCards()
	all := &problems{}
	for _, file := range files {
		data, err := fs.ReadFile(fsys, file)
		if err != nil {
			return nil, err
		}
		p := parser{problems: all, file: file, compiled: c.compiled}
		c.add(p.parse(data), &p)
	}
	if err := all.err(); err != nil {
		return nil, err
	}
	c.index = newIndex(c.cards)
	return c, nil
}

func (c *Cards) add(card *Card, p *parser) {
	if card == nil {
		return
	}
	c.cards = append(c.cards, card)
	for i, x := range card.Products {
		x.card, x.order = card, i
		if x.ID == "" {
			continue
		}
		if other := c.products[x.ID]; len(other) > 0 && other[0].card != card {
			p.at(1, "products", "%q is also a product of %s/card.yaml", x.ID, other[0].card.Folder)
		}
		c.products[x.ID] = append(c.products[x.ID], x)
	}
}

// All returns the cards in order of their folders. They are not to be changed.
func (c *Cards) All() []*Card { return c.cards }

// Remedies returns the first steps of a remedy by product id and policy id.
func (c *Cards) Remedies() map[string]map[string][]string {
	all := map[string]map[string][]string{}
	for id, products := range c.products {
		if of := products[0].card.Remedies; len(of) > 0 {
			all[id] = of
		}
	}
	return all
}

// IDs returns all values that device.product can have, sorted.
func (c *Cards) IDs() []string {
	ids := make([]string, 0, len(c.products))
	for id := range c.products {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Card returns the card on which a product stands, or nil.
func (c *Cards) Card(id string) *Card {
	if p := c.products[id]; len(p) > 0 {
		return p[0].card
	}
	return nil
}
