package product

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

func load(t testing.TB) *Cards {
	t.Helper()
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// parseAll reads the cards themselves, with their examples and citations.
func parseAll(t testing.TB) *Cards {
	t.Helper()
	c, err := Parse(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCards: every card is well-formed and all its examples come out.
func TestCards(t *testing.T) {
	c := parseAll(t)
	for _, card := range c.All() {
		t.Run(card.Folder, func(t *testing.T) {
			if len(card.Examples) == 0 {
				t.Errorf("%s/card.yaml has no examples", card.Folder)
			}
			for _, x := range card.Examples {
				c.checkExample(t, x)
			}
		})
	}
}

func (c *Cards) checkExample(t *testing.T, x Example) {
	t.Helper()
	s := signs{}
	for word, values := range x.Shows {
		s.add(word, sight{values: values})
	}
	found := c.matches(s)
	got, likely := map[string]string{}, false
	for _, r := range resolved(found) {
		if r.conflict {
			t.Errorf("%s: cards disagree on %s: %s", x.At, r.word, proofs(found))
			continue
		}
		got[r.word] = r.value
		likely = likely || r.word == "device.product" && r.from.Likely
	}
	if got["device.product"] != x.Is || likely != x.Likely {
		t.Errorf("%s: is %q (likely %v), want %q (likely %v): %s", x.At, got["device.product"], likely, x.Is, x.Likely, proofs(found))
	}
	for name, want := range x.Want {
		word := groups[name]
		if name == "class" {
			word = "device.class"
		}
		if got[word] != want {
			t.Errorf("%s: %s is %q, want %q", x.At, name, got[word], want)
		}
	}
}

func proofs(found []Match) string {
	var all []string
	for _, m := range found {
		all = append(all, m.Product.card.Folder+"/"+m.Product.ID+" by "+m.Proof)
	}
	return strings.Join(all, ", ")
}

func TestParseErrors(t *testing.T) {
	const head = "maker: Acme\nproducts:\n"
	for _, tt := range []struct{ name, in, want string }{
		{"unknown key", "maker: Acme\ncolour: red\nproducts:\n  - {id: a, likely: [{http.title: A}]}\n", "acme/card.yaml:2: colour: unknown key"},
		{"no products", "maker: Acme\n", "acme/card.yaml:1: products: the key is missing"},
		{"unknown word", head + "  - id: a\n    likely: [{http.titel: A}]\n",
			"acme/card.yaml:4: products[0].likely[0].http.titel: unknown key\nacme/card.yaml:4: products[0].likely[0]: has no sign"},
		{"shown without its origin", head + "  - {id: a, shown: [{http.title: A}]}\n", "acme/card.yaml:3: products[0].shown[0].seen: the key is missing"},
		{"a host name proves nothing", head + "  - {id: a, shown: [{device.hostname: A, seen: a/b}]}\n",
			"acme/card.yaml:3: products[0].shown[0]: names of hosts, makers of network chips and lists of DHCP options prove no product: put the line under likely"},
		{"bad expression", head + "  - {id: a, likely: [{http.title: '^(A'}]}\n",
			"acme/card.yaml:3: products[0].likely[0].http.title: \"^(A\" is no RE2: error parsing regexp: missing closing ): `^(A`"},
		{"expression without its mark", head + "  - {id: a, likely: [{http.title: 'A.*'}]}\n",
			`acme/card.yaml:3: products[0].likely[0].http.title: "A.*" looks like a regular expression: begin it with ^ or (?`},
		{"unknown group", head + "  - {id: a, likely: [{http.title: '^(?P<colour>A)'}]}\n",
			`acme/card.yaml:3: products[0].likely[0].http.title: "^(?P<colour>A)" has a group "colour"; known are maker, model, name and version`},
		{"unknown class", head + "  - {id: a, class: toaster-oven, likely: [{http.title: A}]}\n", `acme/card.yaml:3: products[0].class: "toaster-oven" is no class; want one of `},
		{"a number where text is wanted", head + "  - {id: a, likely: [{http.title: 12}]}\n", `acme/card.yaml:3: products[0].likely[0].http.title: want text: put 12 in quotes`},
		{"no YAML", "maker: [\n", "acme/card.yaml:1: did not find expected node content"},
		{"firmware date without a day", head + "  - {id: a, likely: [{http.title: A}], firmware_date: '^(?P<year>\\d{4})'}\n",
			`acme/card.yaml:3: products[0].firmware_date: "^(?P<year>\\d{4})" has no group yyyymmdd or yymmdd, nor year and month`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(fstest.MapFS{"acme/card.yaml": {Data: []byte(tt.in)}})
			if err == nil {
				t.Fatal("no error")
			}
			got := err.Error()
			if strings.HasSuffix(tt.want, " ") {
				got = got[:min(len(got), len(tt.want))]
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestNeeds(t *testing.T) {
	for _, tt := range []struct {
		in     string
		needs  string
		prefix bool
	}{
		{"^md=(?P<model>BSB002)$", "md=bsb002", true},
		{"(?i)^shelly[a-z]+-", "shelly", true},
		{"(?i)camera", "camera", false},
		{"^(?:a|b)long", "along blong", true},
		{"^PS[345]-", "ps3- ps4- ps5-", true},
		{"^LG-?TV", "lg-tv lgtv", true},
		{"(?i)^viera|^TX-", "viera tx-", true},
		{"^ab?c", "abc ac", true},
		{"^a+bcd", "a", true},
		{`^DS-\d+\.web`, "ds-0 ds-1 ds-2 ds-3 ds-4 ds-5 ds-6 ds-7 ds-8 ds-9", true},
		{"^.*Hikvision", "hikvision", false},
		{"(?:FreeNAS|TrueNAS)", "freenas truenas", false},
		{"^.*$", "", false},
		{"(?i)^Ölkessel", "", false},
	} {
		p, err := newPattern(tt.in, &compiled{})
		if err != nil && !strings.HasPrefix(tt.in, "(") {
			t.Fatal(err)
		}
		if got := strings.Join(p.needs, " "); got != tt.needs || p.prefix != tt.prefix {
			t.Errorf("%s: needs %q (prefix %v), want %q (%v)", tt.in, got, p.prefix, tt.needs, tt.prefix)
		}
	}
}

// FuzzPattern: the filter never hides a match that the expression alone finds.
func FuzzPattern(f *testing.F) {
	f.Add("^md=(?P<model>BSB002)$", "md=BSB002")
	f.Add("(?i)^a+bcd|x", "aabcd")
	f.Fuzz(func(t *testing.T, text, value string) {
		p, err := newPattern(text, &compiled{})
		if err != nil || p.compiled == nil || strings.ContainsAny(value, "\u017f\u212a") { // (?i) folds these two to s and k
			return
		}
		_, got := p.match(value, asciiLower(value))
		if want := p.re().MatchString(value); got != want {
			t.Fatalf("match(%q, %q) = %v, want %v (needs %q, prefix %v)", text, value, got, want, p.needs, p.prefix)
		}
	})
}

// TestWords: cards read and set words of the vocabulary.
func TestWords(t *testing.T) {
	for _, name := range SignWords() {
		if w := fact.Lookup(name); w == nil || w.Type != fact.String && w.Type != fact.List {
			t.Errorf("%s is no word of text", name)
		}
	}
	for group, word := range groups {
		if fact.Lookup(word) == nil {
			t.Errorf("group %s: there is no word %s", group, word)
		}
	}
}

// TestHomeAssistant: the integrations that cards name are there.
func TestHomeAssistant(t *testing.T) {
	c := load(t)
	for _, card := range c.All() {
		for _, domain := range card.HomeAssistant {
			if _, ok := c.Integration(domain); !ok {
				t.Errorf("%s/card.yaml: home_assistant: Home Assistant has no integration %q", card.Folder, domain)
			}
		}
	}
}
