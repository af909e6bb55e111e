package page

import (
	"strings"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Challenge is one way of logging in that a server offers.
type Challenge struct {
	Scheme string // lower case
	Realm  string // cleaned
}

// maxChallenges bounds what is read of a server's offers.
const maxChallenges = 16

// Challenges reads the values of WWW-Authenticate (RFC 9110 section 11.6.1):
// several challenges may stand in one value, parted by the same comma as the
// parameters of one.
func Challenges(values []string) []Challenge {
	var out []Challenge
	for _, value := range values {
		for _, part := range splitQuoted(value) {
			first, rest, _ := strings.Cut(part, " ")
			name, _, isParam := strings.Cut(first, "=")
			if isToken(first) && !strings.HasPrefix(strings.TrimSpace(rest), "=") {
				if len(out) == maxChallenges {
					return out
				}
				out = append(out, Challenge{Scheme: strings.ToLower(first)})
				part = strings.TrimSpace(rest)
				name, _, isParam = strings.Cut(part, "=")
			} else if !isParam {
				name, _, isParam = strings.Cut(part, "=")
			}
			if isParam && len(out) > 0 && strings.EqualFold(strings.TrimSpace(name), "realm") {
				_, v, _ := strings.Cut(part, "=")
				out[len(out)-1].Realm = fact.Clean(unquote(strings.TrimSpace(v)), fact.MaxText)
			}
		}
	}
	return out
}

// splitQuoted splits at commas outside of quotes.
func splitQuoted(s string) []string {
	var out []string
	quoted, from := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			out = append(out, strings.TrimSpace(s[from:i]))
			from = i + 1
		}
	}
	return append(out, strings.TrimSpace(s[from:]))
}

func unquote(s string) string {
	s = strings.TrimSuffix(strings.TrimPrefix(s, `"`), `"`)
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(s)
}

func isToken(s string) bool {
	return s != "" && len(s) <= 32 && strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}) < 0
}
