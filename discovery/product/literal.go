package product

import (
	"regexp/syntax"
	"slices"
	"unicode"
)

// maxNeeds is how many texts stand for an expression in the index.
const maxNeeds = 48

// needsOf returns texts of which every match contains one, in ASCII lower case,
// and whether it begins with it. There are none if the expression is too open.
func needsOf(re *syntax.Regexp) (needs []string, prefix bool) {
	begins, _ := leads(re)
	if anchored(re) && shortest(begins) > 0 {
		return begins, true
	}
	best := longestLiteral(re)
	if len(best) < 3 && shortest(begins) > len(best) {
		return begins, false
	}
	if best == "" {
		return nil, false
	}
	return []string{best}, false
}

func shortest(list []string) int {
	n := 1 << 10
	for _, s := range list {
		n = min(n, len(s))
	}
	return n
}

// anchored reports whether every match begins at the beginning of the text.
func anchored(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpBeginText:
		return true
	case syntax.OpConcat, syntax.OpCapture, syntax.OpPlus:
		return anchored(re.Sub[0])
	case syntax.OpAlternate:
		return !slices.ContainsFunc(re.Sub, func(sub *syntax.Regexp) bool { return !anchored(sub) })
	default:
		return false
	}
}

// leads returns texts with which every match begins, and whether these are the
// whole of what matches.
func leads(re *syntax.Regexp) (all []string, whole bool) {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return []string{""}, true
	case syntax.OpLiteral:
		for i, r := range re.Rune {
			if r > unicode.MaxASCII {
				return []string{asciiLower(string(re.Rune[:i]))}, false
			}
		}
		return []string{asciiLower(string(re.Rune))}, true
	case syntax.OpCharClass:
		return classLeads(re.Rune)
	case syntax.OpCapture:
		return leads(re.Sub[0])
	case syntax.OpPlus:
		all, _ = leads(re.Sub[0])
		return all, false
	case syntax.OpQuest:
		all, whole = leads(re.Sub[0])
		return union(all, []string{""}), whole
	case syntax.OpAlternate:
		whole = true
		for _, sub := range re.Sub {
			more, w := leads(sub)
			all, whole = union(all, more), whole && w
		}
		return all, whole && len(all) <= maxNeeds
	case syntax.OpConcat:
		return concatLeads(re.Sub)
	default:
		return []string{""}, false
	}
}

func concatLeads(subs []*syntax.Regexp) (all []string, whole bool) {
	all, whole = []string{""}, true
	for _, sub := range subs {
		next, w := leads(sub)
		if len(all)*len(next) > maxNeeds {
			return all, false
		}
		var joined []string
		for _, a := range all {
			for _, b := range next {
				joined = union(joined, []string{a + b})
			}
		}
		if all = joined; !w {
			return all, false
		}
	}
	return all, whole
}

// classLeads are the ASCII signs of a small class. Signs of other alphabets that
// fold to them (the sign for kelvin is a k) are left out: no device sends them.
func classLeads(ranges []rune) (all []string, whole bool) {
	const most = 12
	for i := 0; i+1 < len(ranges); i += 2 {
		lo, hi := ranges[i], min(ranges[i+1], unicode.MaxASCII)
		if hi-lo > most {
			return []string{""}, false
		}
		for r := lo; r <= hi; r++ {
			all = union(all, []string{asciiLower(string(r))})
		}
	}
	if len(all) == 0 || len(all) > most {
		return []string{""}, false
	}
	return all, true
}

func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

// longestLiteral is the longest text of which it is plain that every match
// contains it.
func longestLiteral(re *syntax.Regexp) (best string) {
	switch re.Op {
	case syntax.OpCapture, syntax.OpPlus:
		return longestLiteral(re.Sub[0])
	case syntax.OpLiteral:
		if all, whole := leads(re); whole {
			return all[0]
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if s := longestLiteral(sub); len(s) > len(best) {
				best = s
			}
		}
	}
	return best
}
