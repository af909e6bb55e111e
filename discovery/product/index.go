package product

// index finds the lines that a value could fit without trying all of them. Each
// line stands in it once, under its most telling sign.
type index map[string]*wordIndex

type wordIndex struct {
	equal  map[string][]entry // by the whole text, lower case
	prefix map[string][]entry // by its first bytes, prefixSize at most, lower case
	inside map[string][]entry // by prefixSize bytes of a text that is somewhere in it
	rest   []entry
}

// prefixSize is the largest number of bytes by which patterns with a known
// beginning are found.
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
		if n := e.line.Signs[i].specificity(); n > best {
			best, e.lead = n, i
		}
	}
	lead := &e.line.Signs[e.lead]
	w := ix[lead.Word]
	if w == nil {
		w = &wordIndex{equal: map[string][]entry{}, prefix: map[string][]entry{}, inside: map[string][]entry{}}
		ix[lead.Word] = w
	}
	switch {
	case lead.compiled == nil:
		w.equal[lead.needs[0]] = append(w.equal[lead.needs[0]], e)
	case lead.prefix:
		e.under(w.prefix, lead.needs)
	case len(lead.needs) > 0 && shortest(lead.needs) >= prefixSize:
		e.under(w.inside, lead.needs)
	default:
		w.rest = append(w.rest, e)
	}
}

// under puts the entry under the beginning of each text.
func (e entry) under(m map[string][]entry, texts []string) {
	var keys []string
	for _, s := range texts {
		keys = union(keys, []string{s[:min(len(s), prefixSize)]})
	}
	for _, key := range keys {
		m[key] = append(m[key], e)
	}
}

// specificity is the higher, the fewer values fit.
func (p *pattern) specificity() int {
	n := 0
	if len(p.needs) > 0 {
		n = shortest(p.needs)
	}
	if p.prefix {
		n += 10
	}
	if p.compiled == nil {
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
	check := func(list []entry) {
		for i := range list {
			if e := &list[i]; e.line.Signs[e.lead].mayMatch(lower) {
				try(*e)
			}
		}
	}
	for n := 1; n <= min(len(lower), prefixSize); n++ {
		check(w.prefix[lower[:n]])
	}
	if len(w.inside) > 0 {
		for i := 0; i+prefixSize <= len(lower); i++ {
			check(w.inside[lower[i:i+prefixSize]])
		}
	}
	check(w.rest)
}
