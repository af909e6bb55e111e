package product

import (
	_ "embed"
	"strings"
	"unicode"
)

// makerTable is what no rule says of makers' names; fields have tabs between them:
//
//	alias  beginning of a company's name, lower case  what people say, or nothing
//	chip   name of a company that makes the network chip of others' products
//
//go:embed makers.tsv
var makerTable string

// makers are the rows of makerTable.
type makers struct {
	aliases [][2]string
	chips   []string
}

func newMakers(table string) (m makers) {
	for row := range strings.Lines(table) {
		f := strings.Split(strings.TrimSuffix(row, "\n"), "\t")
		switch {
		case f[0] == "alias" && len(f) == 3:
			m.aliases = append(m.aliases, [2]string{f[1], f[2]})
		case f[0] == "chip" && len(f) == 2:
			m.chips = append(m.chips, strings.ToLower(f[1]))
		}
	}
	return m
}

// cities stand before the names of Chinese makers in the IEEE's list.
var cities = []string{"Beijing", "Chengdu", "Chongqing", "Dongguan", "Foshan", "Fujian", "Fuzhou", "Guangdong", "Guangzhou",
	"Hangzhou", "Hui Zhou", "Huizhou", "Jiangsu", "Nanjing", "Ningbo", "Qingdao", "Shanghai", "ShenZhen", "Sichuan", "Suzhou",
	"Tianjin", "Wuhan", "Wuxi", "Xiamen", "Xian", "Zhejiang", "Zhuhai", "Zhongshan"}

// forms are the words at the end of a company's name that nobody says: its legal
// form and what it trades in.
var forms = map[string]bool{
	"ab": true, "ag": true, "as": true, "a/s": true, "bv": true, "b.v": true, "co": true, "company": true, "corp": true,
	"corporate": true, "corporation": true, "gmbh": true, "inc": true, "incorporated": true, "international": true,
	"kg": true, "kk": true, "limited": true, "llc": true, "ltd": true, "nv": true, "n.v": true, "oy": true, "oyj": true,
	"plc": true, "pty": true, "pte": true, "sa": true, "s.a": true, "sas": true, "se": true, "spa": true, "s.p.a": true,
	"srl": true, "s.r.l": true, "sp.z.o.o": true, "&": true, "und": true, "and": true, "ind": true, "industrial": true,
	"industries": true, "industry": true, "manufacturing": true, "mfg": true, "group": true, "holdings": true,
	"technology": true, "technologies": true, "tech": true, "electronic": true, "electronics": true, "electric": true,
	"digital": true, "communication": true, "communications": true, "systems": true, "system": true, "computer": true,
	"computers": true, "computersysteme": true, "trading": true, "(trading)": true, "intl": true, "science": true,
	"scientific": true, "software": true, "information": true, "intelligent": true, "intelligence": true, "network": true,
	"networks": true, "telecommunication": true, "telecom": true, "products": true, "device": true, "devices": true,
	"co.,ltd": true, "co.ltd": true, "coltd": true, "tech.ltd": true, "co.,": true, "optoelectronics": true,
}

// meant are names that would be cut to less than people say.
var meant = map[string]bool{"general electric": true, "schneider electric": true, "mitsubishi electric": true, "western digital": true,
	"american power": true, "universal electronics": true, "allied telesis": true, "arris group": true, "digital data": true}

// Maker is the name of a company as people say it: "Hangzhou Hikvision Digital
// Technology Co.,Ltd." is Hikvision, "Raspberry Pi Trading Ltd" is Raspberry Pi.
// It is "" for a name that names nobody.
func (c *Cards) Maker(company string) string {
	company = strings.Join(strings.Fields(company), " ")
	lower := strings.ToLower(company)
	for _, a := range c.makers.aliases {
		if strings.HasPrefix(lower, a[0]) || lower == strings.TrimSpace(a[0]) {
			return a[1]
		}
	}
	if i := strings.IndexByte(company, '('); i > 0 {
		company = strings.TrimSpace(company[:i])
	}
	for _, city := range cities {
		if rest, ok := cutFold(company, city+" "); ok {
			company = rest
			break
		}
	}
	words := strings.Fields(punctuation.Replace(company))
	for len(words) > 1 {
		if len(words) == 2 && meant[strings.ToLower(words[0]+" "+words[1])] {
			break
		}
		last := strings.Trim(strings.ToLower(words[len(words)-1]), ".,")
		if last != "" && !forms[last] {
			break
		}
		words = words[:len(words)-1]
	}
	for i, w := range words {
		words[i] = calm(w)
	}
	return strings.TrimRight(strings.Join(words, " "), ".,")
}

var punctuation = strings.NewReplacer(",", " ", "Co.,Ltd", " ", "CO.,LTD", " ", "Tech.Ltd", " ")

// makesChips reports whether a maker is known for the chip and not for the
// product.
func (c *Cards) makesChips(maker string) bool {
	lower := strings.ToLower(maker)
	for _, m := range c.makers.chips {
		if strings.HasPrefix(lower, m) {
			return true
		}
	}
	return false
}

func cutFold(s, prefix string) (string, bool) {
	if len(s) > len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):], true
	}
	return s, false
}

// calm writes a word of more than four capital letters as a name.
func calm(w string) string {
	letters := 0
	for _, r := range w {
		if !unicode.IsUpper(r) || r > unicode.MaxASCII {
			return w
		}
		letters++
	}
	if letters <= 4 {
		return w
	}
	return w[:1] + strings.ToLower(w[1:])
}
