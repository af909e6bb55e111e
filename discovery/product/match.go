package product

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Match is a product of which a device shows a sign.
type Match struct {
	Product *Product
	Likely  bool              // a sign, not proof
	Named   map[string]string // by group: maker, model, name, version
	Proof   string            // the words and values that show it
	At      time.Time         // when the newest of them was learned
}

// tier orders matches: of a card only those of the lowest tier count.
func (m Match) tier() int {
	switch {
	case !m.Likely && !m.Product.Fallback:
		return 0
	case !m.Product.Fallback:
		return 1
	case !m.Likely:
		return 2
	default:
		return 3
	}
}

// signs is what a device shows, by word.
type signs map[string]sight

// sight is the values of one word, with what answered. Signs of a line come from
// one answer.
type sight struct {
	values []string
	lower  []string // the same by asciiLower
	answer string
	likely bool
	at     time.Time
}

func (s signs) add(word string, x sight) {
	x.lower = make([]string, len(x.values))
	for i, v := range x.values {
		x.lower[i] = asciiLower(v)
	}
	s[word] = x
}

// signsOf collects the words of the evidence that cards read.
func signsOf(ev *fact.Evidence) signs {
	s := signs{}
	for word := range signWords {
		n, ok := ev.Entry(word)
		if !ok || !n.Known() {
			continue
		}
		x := sight{answer: answerOf(n), at: n.At, likely: n.Likely}
		switch v := n.Value.(type) {
		case string:
			x.values = []string{v}
		case []string:
			x.values = v
		}
		s.add(word, x)
	}
	return s
}

// answerOf names the answer from which an entry comes: the source or probe and,
// where the proof begins with one, the port.
func answerOf(n fact.Entry) string {
	port, _, ok := strings.Cut(n.Proof, ":")
	if !ok || !strings.HasPrefix(port, "tcp/") && !strings.HasPrefix(port, "udp/") {
		port = ""
	}
	return n.By + " " + port
}

// matches returns the products of which the device shows a sign, at most one of
// each card: the first that is proven, else the first that is likely.
func (c *Cards) matches(s signs) []Match {
	best := map[*Card]Match{}
	for word, x := range s {
		for _, value := range x.lower {
			c.index.candidates(word, value, func(e entry) {
				m, ok := e.match(s)
				if !ok {
					return
				}
				if old, ok := best[e.product.card]; ok {
					m = better(old, m)
				}
				best[e.product.card] = m
			})
		}
	}
	return slices.SortedFunc(maps.Values(best), func(a, b Match) int {
		return cmp.Or(cmp.Compare(a.tier(), b.tier()), cmp.Compare(a.Product.card.Folder, b.Product.card.Folder))
	})
}

// better returns the match that says more. Two lines of one product give one
// match with what both name.
func better(a, b Match) Match {
	order := cmp.Or(cmp.Compare(a.tier(), b.tier()), cmp.Compare(a.Product.order, b.Product.order),
		cmp.Compare(len(b.Named), len(a.Named)), cmp.Compare(a.Proof, b.Proof))
	if order > 0 {
		a, b = b, a
	}
	if a.Product != b.Product || a.Likely != b.Likely || len(b.Named) == 0 {
		return a
	}
	named := maps.Clone(b.Named)
	maps.Copy(named, a.Named)
	a.Named = named
	if b.At.After(a.At) {
		a.At = b.At
	}
	return a
}

func (e entry) match(s signs) (Match, bool) {
	m := Match{Product: e.product, Likely: e.likely}
	answer, proof := "", ""
	for i := range e.line.Signs {
		sign := &e.line.Signs[i]
		x, ok := s[sign.Word]
		if !ok {
			return m, false
		}
		if !signWords[sign.Word].anyAnswer {
			if answer != "" && answer != x.answer {
				return m, false
			}
			answer = x.answer
		}
		value, named, ok := sign.find(x)
		if !ok {
			return m, false
		}
		if named != nil && m.Named != nil {
			maps.Copy(m.Named, named)
		} else if named != nil {
			m.Named = named
		}
		m.Likely = m.Likely || x.likely
		if x.at.After(m.At) {
			m.At = x.at
		}
		if proof != "" {
			proof += "; "
		}
		proof += sign.Word + ": " + value
	}
	m.Proof = proof
	return m, true
}

// find returns the first value that fits.
func (p *pattern) find(x sight) (value string, named map[string]string, ok bool) {
	for i, v := range x.values {
		if named, ok := p.match(v, x.lower[i]); ok {
			return v, named, true
		}
	}
	return "", nil, false
}
