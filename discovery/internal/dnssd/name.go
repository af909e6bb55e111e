package dnssd

import (
	"strings"

	"github.com/miekg/dns"
)

// Unescape turns the presentation form that package dns gives to names and TXT
// strings (RFC 1035 section 5.1: \X and \DDD) back into bytes.
func Unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\' || i+1 == len(s):
			b.WriteByte(s[i])
		case i+3 < len(s) && isDigit(s[i+1]) && isDigit(s[i+2]) && isDigit(s[i+3]):
			b.WriteByte((s[i+1]-'0')*100 + (s[i+2]-'0')*10 + (s[i+3] - '0'))
			i += 3
		default:
			i++
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// ServiceType takes "_http._tcp.local." apart; false for anything else, such as
// a sub-type.
func ServiceType(name string) (typ string, ok bool) {
	l := dns.SplitDomainName(name)
	if len(l) != 3 || len(l[0]) < 2 || l[0][0] != '_' || !strings.EqualFold(l[2], "local") {
		return "", false
	}
	proto := strings.ToLower(l[1])
	if proto != "_tcp" && proto != "_udp" {
		return "", false
	}
	return Unescape(strings.ToLower(l[0])) + "." + proto, true
}

// InstanceName takes "Hall Printer._ipp._tcp.local." apart.
func InstanceName(name string) (instance, typ string, ok bool) {
	next, end := dns.NextLabel(name, 0)
	if end || next < 2 {
		return "", "", false
	}
	if typ, ok = ServiceType(name[next:]); !ok {
		return "", "", false
	}
	return Unescape(name[:next-1]), typ, true
}

// HostName takes "printer.local." apart.
func HostName(name string) (host string, ok bool) {
	l := dns.SplitDomainName(name)
	if len(l) < 2 || !strings.EqualFold(l[len(l)-1], "local") || l[0][0] == '_' {
		return "", false
	}
	return Unescape(strings.Join(l[:len(l)-1], ".")), true
}

// MaxPairs is how many keys of a TXT record are kept.
const MaxPairs = 64

// ParseTXT returns the raw strings joined, and the pairs in them: keys in lower
// case, the first of several wins (RFC 6763 section 6.4).
func ParseTXT(strs []string) (raw string, pairs map[string]string) {
	pairs = map[string]string{}
	var b strings.Builder
	for _, s := range strs {
		s = Unescape(s)
		b.WriteString(s)
		b.WriteByte(0)
		k, v, _ := strings.Cut(s, "=")
		k = strings.ToLower(k)
		if _, twice := pairs[k]; !twice && k != "" && len(pairs) < MaxPairs {
			pairs[k] = v
		}
	}
	return b.String(), pairs
}
