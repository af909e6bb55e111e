package product

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"time"
)

// packed is what the program needs of the cards, one JSON object a line and
// card, with what is costly to work out of an expression. "make generate"
// writes it from the cards: to read these as YAML takes a hundred times as long.
//
//go:generate go test -run ^TestPackedIsCurrent$ . -update
//go:embed packed.jsonl
var packed []byte

type packedCard struct {
	Folder        string
	Maker         string              `json:",omitempty"`
	HomeAssistant []string            `json:",omitempty"`
	Links         Links               `json:",omitzero"`
	Products      []packedProduct     `json:",omitempty"`
	Remedies      map[string][]string `json:",omitempty"`
}

type packedProduct struct {
	ID       string         `json:",omitempty"`
	Class    string         `json:",omitempty"`
	Fallback bool           `json:",omitempty"`
	Shown    [][]packedSign `json:",omitempty"`
	Likely   [][]packedSign `json:",omitempty"`
	Dates    []packedDate   `json:",omitempty"`
}

type packedSign struct {
	Word   string
	Text   string
	Needs  []string `json:",omitempty"` // of an expression
	Prefix bool     `json:",omitempty"`
}

type packedDate struct {
	Version string
	Before  time.Time `json:",omitzero"`
}

// pack writes the cards without their examples and citations.
func pack(cards []*Card) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, c := range cards {
		out := packedCard{Folder: c.Folder, Maker: c.Maker, HomeAssistant: c.HomeAssistant, Links: c.Links, Remedies: c.Remedies}
		for _, p := range c.Products {
			x := packedProduct{ID: p.ID, Class: p.Class, Fallback: p.Fallback, Shown: packLines(p.Shown), Likely: packLines(p.Likely)}
			for _, d := range p.dates {
				x.Dates = append(x.Dates, packedDate{d.version.text, d.before})
			}
			out.Products = append(out.Products, x)
		}
		if err := enc.Encode(out); err != nil {
			return nil, fmt.Errorf("packing card %q: %w", c.Folder, err)
		}
	}
	return b.Bytes(), nil
}

func packLines(lines []Line) (all [][]packedSign) {
	for _, l := range lines {
		var signs []packedSign
		for _, s := range l.Signs {
			p := packedSign{Word: s.Word, Text: s.text}
			if s.compiled != nil {
				p.Needs, p.Prefix = s.needs, s.prefix
			}
			signs = append(signs, p)
		}
		all = append(all, signs)
	}
	return all
}

// unpack reads what pack wrote.
func unpack(data []byte) (*Cards, error) {
	c := newCards()
	all := &problems{}
	words := map[string]string{} // one text for each word, not one a sign
	for word := range signWords {
		words[word] = word
	}
	for line := range bytes.Lines(data) {
		var in packedCard
		if err := json.Unmarshal(line, &in); err != nil {
			return nil, fmt.Errorf("reading packed card %.40q: %w", line, err)
		}
		card := &Card{Folder: in.Folder, Maker: in.Maker, HomeAssistant: in.HomeAssistant, Links: in.Links, Remedies: in.Remedies}
		for _, p := range in.Products {
			x := &Product{ID: p.ID, Class: p.Class, Fallback: p.Fallback, Shown: c.unpackLines(p.Shown, words), Likely: c.unpackLines(p.Likely, words)}
			for _, d := range p.Dates {
				x.dates = append(x.dates, dateRule{expression{d.Version, c.compiled}, d.Before})
			}
			card.Products = append(card.Products, x)
		}
		c.add(card, &parser{problems: all, file: card.Folder + "/card.yaml"})
	}
	if err := all.err(); err != nil {
		return nil, err
	}
	c.index = newIndex(c.cards)
	return c, nil
}

func (c *Cards) unpackLines(lines [][]packedSign, words map[string]string) []Line {
	if len(lines) == 0 {
		return nil
	}
	all := make([]Line, len(lines))
	for i, signs := range lines {
		all[i].Signs = make([]Sign, len(signs))
		for j, s := range signs {
			p := pattern{expression: expression{text: s.Text}, needs: s.Needs, prefix: s.Prefix}
			if isExpression(s.Text) {
				p.compiled = c.compiled
			} else {
				p.needs, p.prefix = []string{asciiLower(s.Text)}, true
			}
			all[i].Signs[j] = Sign{words[s.Word], p}
		}
	}
	return all
}
