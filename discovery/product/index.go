package product

// index finds the lines that a value could fit without trying all of them. Each
// line stands in it once, under its most telling sign.
type index map[string]*wordIndex

type wordIndex struct {
	equal  map[string][]entry // by the whole text, lower case
	prefix map[string][]entry // by its first prefixSize bytes, lower case
	rest   []entry
}

// prefixSize is the number of bytes by which patterns with a literal beginning
// are found.
const prefixSize = 3

type entry struct {
	product *Product
	line    *Line
	lead    int // the sign under which the line stands
	likely  bool
}

func newIndex(cards []*Card) index {
	ix := index{}
	for _, card := range cards {
		for _, p := range card.Products {
			for i := range p.Shown {
				ix.add(entry{product: p, line: &p.Shown[i]})
			}
			for i := range p.Likely {
				ix.add(entry{product: p, line: &p.Likely[i], likely: true})
			}
		}
	}
	return ix
}

func (ix index) add(e entry) {
	best := -1
	for i := range e.line.Signs {
		if n := e.line.Signs[i].telling(); n > best {
			best, e.lead = n, i
		}
	}
	lead := &e.line.Signs[e.lead]
	w := ix[lead.Word]
	if w == nil {
		w = &wordIndex{equal: map[string][]entry{}, prefix: map[string][]entry{}}
		ix[lead.Word] = w
	}
	switch {
	case lead.re == nil:
		w.equal[lead.literal] = append(w.equal[lead.literal], e)
	case lead.prefix && len(lead.literal) >= prefixSize:
		key := lead.literal[:prefixSize]
		w.prefix[key] = append(w.prefix[key], e)
	default:
		w.rest = append(w.rest, e)
	}
}

// telling is the higher, the fewer values fit.
func (p *pattern) telling() int {
	n := len(p.literal)
	if p.prefix {
		n += 10
	}
	if p.re == nil {
		n += 100
	}
	return n
}

// candidates calls try for each line that a value of the word could begin.
func (ix index) candidates(word, lower string, try func(entry)) {
	w := ix[word]
	if w == nil {
		return
	}
	for _, e := range w.equal[lower] {
		try(e)
	}
	if len(lower) >= prefixSize {
		for _, e := range w.prefix[lower[:prefixSize]] {
			try(e)
		}
	}
	for _, e := range w.rest {
		try(e)
	}
}
