package mdns

import (
	"strings"

	"github.com/miekg/dns"
)

// metaName is the question for all service types of a link (RFC 6763 section 9).
const metaName = "_services._dns-sd._udp.local."

// unescape turns the presentation form that package dns gives to names and TXT
// strings (RFC 1035 section 5.1: \X and \DDD) back into bytes.
func unescape(s string) string {
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

// serviceType takes "_http._tcp.local." apart; false for anything else, such as
// a sub-type.
func serviceType(name string) (typ string, ok bool) {
	l := dns.SplitDomainName(name)
	if len(l) != 3 || len(l[0]) < 2 || l[0][0] != '_' || !strings.EqualFold(l[2], "local") {
		return "", false
	}
	proto := strings.ToLower(l[1])
	if proto != "_tcp" && proto != "_udp" {
		return "", false
	}
	return unescape(strings.ToLower(l[0])) + "." + proto, true
}

// instanceName takes "Hall Printer._ipp._tcp.local." apart.
func instanceName(name string) (instance, typ string, ok bool) {
	next, end := dns.NextLabel(name, 0)
	if end || next < 2 {
		return "", "", false
	}
	if typ, ok = serviceType(name[next:]); !ok {
		return "", "", false
	}
	return unescape(name[:next-1]), typ, true
}

// hostName takes "printer.local." apart.
func hostName(name string) (host string, ok bool) {
	l := dns.SplitDomainName(name)
	if len(l) < 2 || !strings.EqualFold(l[len(l)-1], "local") || l[0][0] == '_' {
		return "", false
	}
	return unescape(strings.Join(l[:len(l)-1], ".")), true
}
