package product

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"go.yaml.in/yaml/v3"
)

var (
	validFolder = regexp.MustCompile(`^[a-z0-9]{1,32}$`)
	validID     = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	validDomain = regexp.MustCompile(`^[a-z0-9_]{1,40}$`)
	validSeen   = regexp.MustCompile(`^https://\S+\.\S+$|^[\w.-]+/[\w.-]+\S*$|^RFC \d+`)
	yamlLine    = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)
)

const (
	maxText   = 300 // bytes of a text
	maxLines  = 100 // lines of a product
	maxRemedy = 3   // steps; the policy adds that to check again
)

// problems collects what is wrong with the cards, so that all of it is reported
// at once.
type problems struct{ all []error }

func (p *problems) err() error { return errors.Join(p.all...) }

// parser reads one card strictly: what it does not know is an error.
type parser struct {
	*problems
	file     string
	compiled *compiled

	reading     Line // what signs() fills
	strong      bool // it has a sign that is not weak
	signReaders map[string]func(*yaml.Node, string)
}

func (p *parser) at(line int, key, format string, args ...any) {
	if key != "" {
		key += ": "
	}
	p.all = append(p.all, fmt.Errorf("%s:%d: %s%s", p.file, line, key, fmt.Sprintf(format, args...)))
}

func (p *parser) parse(data []byte) *Card {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		line, msg := 1, err.Error()
		if m := yamlLine.FindStringSubmatch(msg); m != nil {
			line, _ = strconv.Atoi(m[1])
			msg = msg[len(m[0]):]
		}
		p.at(line, "", "%s", strings.TrimPrefix(msg, "yaml: "))
		return nil
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		p.at(max(more.Line, 1), "", "a file has one card")
		return nil
	}
	card := &Card{Folder: path.Dir(p.file)}
	if !validFolder.MatchString(card.Folder) {
		p.at(1, "", "the folder %q has other signs than a to z and 0 to 9", card.Folder)
	}
	root := doc.Content[0]
	p.mapping(root, "", []string{"products"}, map[string]func(*yaml.Node, string){
		"maker":          func(n *yaml.Node, key string) { card.Maker = p.text(n, key, nil) },
		"home_assistant": func(n *yaml.Node, key string) { card.HomeAssistant = p.texts(n, key, validDomain) },
		"links":          func(n *yaml.Node, key string) { p.links(n, key, &card.Links) },
		"products": func(n *yaml.Node, key string) {
			p.each(n, key, func(n *yaml.Node, key string) { card.Products = append(card.Products, p.product(n, key)) })
		},
		"remedies": func(n *yaml.Node, key string) { card.Remedies = p.remedies(n, key) },
		"examples": func(n *yaml.Node, key string) {
			p.each(n, key, func(n *yaml.Node, key string) { card.Examples = append(card.Examples, p.example(n, key)) })
		},
	})
	p.check(card)
	return card
}

// check holds what no key can say alone.
func (p *parser) check(card *Card) {
	for i, x := range card.Products {
		key := fmt.Sprintf("products[%d]", i)
		if card.Maker == "" && !x.Fallback {
			p.at(1, key, "a card without a maker has fallback products only")
		}
		for _, y := range card.Products[:i] {
			if x.ID != "" && x.ID == y.ID && x.Class == y.Class {
				p.at(1, key, "%q stands twice with the class %q: put the lines together", x.ID, x.Class)
			}
		}
	}
}

// mapping calls the reader of each key, and reports keys that are unknown,
// doubled or missing.
func (p *parser) mapping(n *yaml.Node, key string, required []string, read map[string]func(*yaml.Node, string)) {
	if n.Kind != yaml.MappingNode {
		p.at(n.Line, key, "want keys and values")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		full := join(key, k.Value)
		switch {
		case seen[k.Value]:
			p.at(k.Line, full, "the key is there twice")
		case read[k.Value] != nil:
			read[k.Value](v, full)
		default:
			p.at(k.Line, full, "unknown key")
		}
		seen[k.Value] = true
	}
	for _, name := range required {
		if !seen[name] {
			p.at(n.Line, join(key, name), "the key is missing")
		}
	}
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

func (p *parser) each(n *yaml.Node, key string, read func(*yaml.Node, string)) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		p.at(n.Line, key, "want a list")
		return
	}
	for i, item := range n.Content {
		read(item, fmt.Sprintf("%s[%d]", key, i))
	}
}

// text reads a text. Valid is what it must look like, or nil.
func (p *parser) text(n *yaml.Node, key string, valid *regexp.Regexp) string {
	switch {
	case n.Kind != yaml.ScalarNode || n.Tag == "!!null":
		p.at(n.Line, key, "want text")
	case n.Tag != "!!str":
		p.at(n.Line, key, "want text: put %s in quotes", n.Value)
	case n.Value == "" || n.Value != strings.TrimSpace(n.Value):
		p.at(n.Line, key, "%q is empty or has white space around it", n.Value)
	case len(n.Value) > maxText:
		p.at(n.Line, key, "has %d bytes, at most %d are allowed", len(n.Value), maxText)
	case valid != nil && !valid.MatchString(n.Value):
		p.at(n.Line, key, "%q does not look like %s", n.Value, valid)
	}
	return n.Value
}

func (p *parser) texts(n *yaml.Node, key string, valid *regexp.Regexp) (all []string) {
	p.each(n, key, func(n *yaml.Node, key string) { all = append(all, p.text(n, key, valid)) })
	return all
}

var validLink = regexp.MustCompile(`^https://[^\s<>"]+\.[^\s<>"]+$`)

func (p *parser) links(n *yaml.Node, key string, l *Links) {
	link := func(to *string) func(*yaml.Node, string) {
		return func(n *yaml.Node, key string) { *to = p.text(n, key, validLink) }
	}
	p.mapping(n, key, nil, map[string]func(*yaml.Node, string){
		"updates": link(&l.Updates), "security": link(&l.Security), "manual": link(&l.Manual),
	})
}

func (p *parser) product(n *yaml.Node, key string) *Product {
	x := &Product{}
	lines := func(to *[]Line, seen bool) func(*yaml.Node, string) {
		return func(n *yaml.Node, key string) {
			p.each(n, key, func(n *yaml.Node, key string) { *to = append(*to, p.line(n, key, seen)) })
			if len(*to) > maxLines {
				p.at(n.Line, key, "has %d lines, at most %d are allowed", len(*to), maxLines)
			}
		}
	}
	p.mapping(n, key, nil, map[string]func(*yaml.Node, string){
		"id":            func(n *yaml.Node, key string) { x.ID = p.text(n, key, validID) },
		"class":         func(n *yaml.Node, key string) { x.Class = p.class(n, key) },
		"fallback":      func(n *yaml.Node, key string) { x.Fallback = p.truth(n, key) },
		"shown":         lines(&x.Shown, true),
		"likely":        lines(&x.Likely, false),
		"firmware_date": func(n *yaml.Node, key string) { x.dates = p.dates(n, key) },
	})
	switch {
	case n.Kind != yaml.MappingNode:
	case len(x.Shown)+len(x.Likely) == 0:
		p.at(n.Line, key, "has neither shown nor likely")
	case x.ID == "" && !x.Fallback:
		p.at(n.Line, join(key, "id"), "the key is missing")
	case x.ID == "" && x.Class == "":
		p.at(n.Line, key, "has neither id nor class")
	}
	return x
}

func (p *parser) class(n *yaml.Node, key string) string {
	c := p.text(n, key, nil)
	if values := fact.Lookup("device.class").Values; c != "" && !slices.Contains(values, c) {
		p.at(n.Line, key, "%q is no class; want one of %s", c, strings.Join(values, ", "))
	}
	return c
}

func (p *parser) truth(n *yaml.Node, key string) bool {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
		p.at(n.Line, key, "want true or false")
	}
	return n.Value == "true"
}

func (p *parser) line(n *yaml.Node, key string, seen bool) Line {
	p.reading, p.strong = Line{}, false
	required := []string{}
	if seen {
		required = append(required, "seen")
	}
	p.mapping(n, key, required, p.signs())
	switch {
	case len(p.reading.Signs) == 0:
		p.at(n.Line, key, "has no sign")
	case seen && !p.strong:
		p.at(n.Line, key, "names of hosts, makers of network chips and lists of DHCP options prove no product: put the line under likely")
	}
	return p.reading
}

// signs returns the readers of a line's keys, which fill p.reading. They are made
// once a card: it has hundreds of lines.
func (p *parser) signs() map[string]func(*yaml.Node, string) {
	if p.signReaders != nil {
		return p.signReaders
	}
	p.signReaders = map[string]func(*yaml.Node, string){
		"seen": func(n *yaml.Node, key string) { p.reading.Seen = p.text(n, key, validSeen) },
	}
	for word, w := range signWords {
		p.signReaders[word] = func(n *yaml.Node, key string) {
			pat, err := newPattern(p.text(n, key, nil), p.compiled)
			if err != nil {
				p.at(n.Line, key, "%v", err)
			}
			p.reading.Signs = append(p.reading.Signs, Sign{word, pat})
			p.strong = p.strong || !w.weak
		}
	}
	return p.signReaders
}

func (p *parser) remedies(n *yaml.Node, key string) map[string][]string {
	all := map[string][]string{}
	if n.Kind != yaml.MappingNode {
		p.at(n.Line, key, "want a list of steps for each policy id")
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		id := p.text(n.Content[i], key, validID)
		steps := p.texts(n.Content[i+1], join(key, id), nil)
		if len(steps) > maxRemedy {
			p.at(n.Content[i+1].Line, join(key, id), "has %d steps, at most %d are allowed", len(steps), maxRemedy)
		}
		all[id] = steps
	}
	return all
}

func (p *parser) example(n *yaml.Node, key string) Example {
	x := Example{Shows: map[string][]string{}, Want: map[string]string{}, At: fmt.Sprintf("%s:%d", p.file, n.Line)}
	want := func(n *yaml.Node, k string) { x.Want[k[strings.LastIndexByte(k, '.')+1:]] = p.text(n, k, nil) }
	read := map[string]func(*yaml.Node, string){
		"shows": func(n *yaml.Node, key string) { p.exampleSigns(n, key, x.Shows) },
		"is": func(n *yaml.Node, key string) {
			if n.Tag != "!!null" {
				x.Is = p.text(n, key, validID)
			}
		},
		"likely": func(n *yaml.Node, key string) { x.Likely = p.truth(n, key) },
		"class":  want,
	}
	for name := range groups {
		read[name] = want
	}
	p.mapping(n, key, []string{"shows", "is"}, read)
	return x
}

func (p *parser) exampleSigns(n *yaml.Node, key string, exampleSigns map[string][]string) {
	read := map[string]func(*yaml.Node, string){}
	for word := range signWords {
		read[word] = func(n *yaml.Node, key string) {
			if n.Kind == yaml.SequenceNode {
				exampleSigns[word] = p.texts(n, key, nil)
				return
			}
			exampleSigns[word] = []string{p.text(n, key, nil)}
		}
	}
	p.mapping(n, key, nil, read)
}
