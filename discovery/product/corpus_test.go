package product

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// record is what one host showed: testdata/corpus/README.md.
type record struct {
	Maker, Class, Product string
	Shows                 map[string]any
	Origin                string
}

// heldOut reports whether no card line may cite the origin: the first byte of
// its SHA-256 is even.
func heldOut(origin string) bool { return sha256.Sum256([]byte(origin))[0]%2 == 0 }

func corpus(t *testing.T, name string) (all []record) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "corpus", name))
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		dec := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		dec.DisallowUnknownFields()
		var r record
		if err := dec.Decode(&r); err != nil {
			t.Fatalf("%s:%d: %v", name, n, err)
		}
		if r.Origin == "" || len(r.Shows) == 0 {
			t.Fatalf("%s:%d: a record has shows and origin", name, n)
		}
		if values := fact.Lookup("device.class").Values; r.Class != "" && !slices.Contains(values, r.Class) {
			t.Fatalf("%s:%d: %q is no class", name, n, r.Class)
		}
		all = append(all, r)
	}
	return all
}

// values are what the record shows of a word.
func (r record) values(t *testing.T, word string) (all []string) {
	t.Helper()
	switch v := r.Shows[word].(type) {
	case nil:
	case string:
		all = append(all, v)
	case []any:
		for _, x := range v {
			all = append(all, x.(string))
		}
	default:
		t.Fatalf("%s: %s is neither text nor a list", r.Origin, word)
	}
	return all
}

// evidence is what probes and sources would have learned: words of one protocol
// come from one answer.
func (r record) evidence(t *testing.T) *fact.Evidence {
	t.Helper()
	ev := fact.New("corpus", time.Time{})
	for word := range r.Shows {
		w := fact.Lookup(word)
		if w == nil {
			t.Fatalf("%s: %q is no word", r.Origin, word)
		}
		values := r.values(t, word)
		e := fact.Entry{Name: word, Value: values, By: strings.SplitN(word, ".", 2)[0], Proof: "recorded"}
		if w.Type == fact.Lookup("device.class").Type {
			e.Value = values[0]
		}
		if !ev.Put(e) {
			t.Fatalf("%s: %s does not hold %v", r.Origin, word, values)
		}
	}
	return ev
}

// outcome counts what became of records.
type outcome struct{ records, right, sure, wrong int }

func (o *outcome) add(x outcome) {
	o.records, o.right, o.sure, o.wrong = o.records+x.records, o.right+x.right, o.sure+x.sure, o.wrong+x.wrong
}

func percent(n, of int) float64 { return 100 * float64(n) / float64(max(of, 1)) }

// judge compares what the cards say with what the host is. Wrong is another
// maker, class or product than the true one; saying nothing is not wrong.
func (c *Cards) judge(t *testing.T, r record) outcome {
	got := c.Recognise(r.evidence(t))
	maker, _ := fact.DeviceManufacturer.Get(got)
	class, _ := fact.DeviceClass.Get(got)
	product, _ := fact.DeviceProduct.Get(got)
	o := outcome{records: 1}
	wrong := maker != "" && maker != r.Maker || class != "" && r.Class != "" && class != r.Class ||
		product != "" && r.Product != "" && product != r.Product || product != "" && r.Maker == "" && r.Class == "" && r.Product == ""
	right := maker == r.Maker && (r.Class == "" || class == r.Class) && (r.Product == "" || product == r.Product)
	if wrong {
		o.wrong = 1
	} else if right {
		o.right = 1
		n, _ := got.Entry(fact.DeviceProduct.Name())
		if n.Known() && !n.Likely {
			o.sure = 1
		}
	}
	return o
}

// TestCorpus measures the cards on recorded answers of real products: on those
// that no card line may cite, most are right and next to none is wrong.
func TestCorpus(t *testing.T) {
	c := load(t)
	var total [2]outcome
	makers := map[string]*[2]outcome{}
	for _, r := range corpus(t, "answers.jsonl") {
		half := 0
		if heldOut(r.Origin) {
			half = 1
		}
		o := c.judge(t, r)
		total[half].add(o)
		m := makers[cmp.Or(r.Maker, "(no maker)")]
		if m == nil {
			m = &[2]outcome{}
			makers[cmp.Or(r.Maker, "(no maker)")] = m
		}
		m[half].add(o)
		if o.wrong > 0 && half == 0 {
			t.Errorf("%s: wrong for %s %s that shows %v: %s", r.Origin, r.Maker, r.Class, r.Shows, proofs(c.matches(signsOf(r.evidence(t)))))
		}
	}
	t.Logf("%-22s %20s   %20s", "maker", "cited: right of", "held out: right of")
	for _, name := range slices.Sorted(maps.Keys(makers)) {
		m := makers[name]
		t.Logf("%-22s %6d of %3d, wrong %2d   %6d of %3d, wrong %2d", name, m[0].right, m[0].records, m[0].wrong, m[1].right, m[1].records, m[1].wrong)
	}
	for half, name := range []string{"cited", "held out"} {
		o := total[half]
		t.Logf("%s: %d records, %.1f %% right (%.1f %% proven), %.1f %% wrong", name, o.records,
			percent(o.right, o.records), percent(o.sure, o.records), percent(o.wrong, o.records))
	}
	if o := total[1]; percent(o.right, o.records) < 60 || percent(o.wrong, o.records) > 2 {
		t.Errorf("held out: %.1f %% right and %.1f %% wrong, want at least 60 and at most 2", percent(o.right, o.records), percent(o.wrong, o.records))
	}
}

// TestCommonSoftware: pages and banners of software that any host may run get no
// product, or that of the software.
func TestCommonSoftware(t *testing.T) {
	c := load(t)
	all := corpus(t, "software.jsonl")
	if len(all) < 50 {
		t.Errorf("%d hosts, want 50", len(all))
	}
	for _, r := range all {
		got := c.Recognise(r.evidence(t))
		if product, _ := fact.DeviceProduct.Get(got); product != r.Product {
			t.Errorf("%s: %v is %q, want %q: %s", r.Origin, r.Shows, product, r.Product, proofs(c.matches(signsOf(r.evidence(t)))))
		}
		for _, w := range []fact.Fact[string]{fact.DeviceManufacturer, fact.DeviceClass} {
			if v, ok := w.Get(got); ok {
				t.Errorf("%s: %v has %s %q", r.Origin, r.Shows, w.Name(), v)
			}
		}
	}
}

// TestCitations: no line of a card cites a held-out origin, and what a line cites
// of the corpus is an answer that it matches.
func TestCitations(t *testing.T) {
	records := map[string][]record{}
	for _, r := range corpus(t, "answers.jsonl") {
		records[r.Origin] = append(records[r.Origin], r)
	}
	for _, card := range parseAll(t).All() {
		for _, p := range card.Products {
			for _, l := range p.Shown {
				if heldOut(l.Seen) && len(records[l.Seen]) > 0 {
					t.Errorf("%s: %s cites %s, which is held out", card.Folder, p.ID, l.Seen)
				}
				cited := records[l.Seen]
				matches := func(r record) bool {
					_, ok := entry{product: p, line: &l}.match(signsOf(r.evidence(t)))
					return ok
				}
				if len(cited) > 0 && !slices.ContainsFunc(cited, matches) {
					t.Errorf("%s: %s cites %s, where no answer looks like %v", card.Folder, p.ID, l.Seen, l.Signs)
				}
			}
		}
	}
}
