package dnssd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// MaxRecords is how many records of a message are read.
const MaxRecords = 1024

// cacheFlush is the top bit of a record's class (RFC 6762 section 10.2).
const cacheFlush = 1 << 15

// Message is what can be read of a message of DNS: the records of which
// DNS-SD makes use, in the order of the message.
type Message struct {
	ID       uint16
	Response bool
	Opcode   int
	Rcode    int
	Records  []dns.RR // A, AAAA, PTR, SRV and TXT of the answers and the additional ones
	// Skipped is how many of these were not readable, those among them that come
	// after a place from which on nothing is.
	Skipped int
}

// ReadMessage reads a message record by record, since an unreadable or unknown one
// must not cost the others: devices send NSEC records whose names lead nowhere. The
// error means that not even the header and the questions are readable.
func ReadMessage(b []byte) (Message, error) {
	const header = 12 // RFC 1035 section 4.1.1
	if len(b) < header {
		return Message{}, fmt.Errorf("message of %d bytes: too short", len(b))
	}
	count := func(at int) int { return int(binary.BigEndian.Uint16(b[at:])) }
	bits := binary.BigEndian.Uint16(b[2:])
	m := Message{ID: binary.BigEndian.Uint16(b), Response: bits>>15 == 1, Opcode: int(bits >> 11 & 15), Rcode: int(bits & 15)}
	r := reader{b: b, at: header}
	for range count(4) {
		if !r.name() || !r.skip(4) {
			return m, fmt.Errorf("question: %w", errEnd)
		}
	}
	sections := []struct {
		n    int
		used bool
	}{{count(6), true}, {count(8), false}, {count(10), true}}
	for i, s := range sections {
		for n := range s.n {
			rr, err := r.record()
			switch {
			case errors.Is(err, errEnd):
				for _, rest := range sections[i:] {
					if rest.used {
						m.Skipped += min(rest.n, MaxRecords)
					}
				}
				m.Skipped -= min(n, m.Skipped)
				return m, nil
			case s.used && err != nil:
				m.Skipped++
			case s.used && rr != nil:
				m.Records = append(m.Records, rr)
			}
			if len(m.Records) == MaxRecords {
				return m, nil
			}
		}
	}
	return m, nil
}

// errEnd means that a message has no further record that begins at a known place.
var errEnd = errors.New("the message ends early")

// reader goes through a message.
type reader struct {
	b  []byte
	at int
}

// skip passes over n bytes, and reports whether they are there.
func (r *reader) skip(n int) bool {
	if n > len(r.b)-r.at {
		return false
	}
	r.at += n
	return true
}

// name passes over a name without following its pointers.
func (r *reader) name() bool {
	for range 128 { // labels; a name has 255 bytes at most
		if r.at >= len(r.b) {
			return false
		}
		switch n := int(r.b[r.at]); {
		case n == 0:
			return r.skip(1)
		case n >= 0xc0:
			return r.skip(2)
		case n >= 0x40: // of no kind that is in use
			return false
		default:
			if !r.skip(1 + n) {
				return false
			}
		}
	}
	return false
}

// record reads the next record; nil if it is of a type or class of which no use is
// made.
func (r *reader) record() (dns.RR, error) {
	start := r.at
	if !r.name() {
		return nil, errEnd
	}
	const fixed = 10 // type, class, time to live, length
	head := r.at
	if !r.skip(fixed) {
		return nil, errEnd
	}
	typ := binary.BigEndian.Uint16(r.b[head:])
	class := binary.BigEndian.Uint16(r.b[head+2:])
	data := r.at
	if !r.skip(int(binary.BigEndian.Uint16(r.b[head+8:]))) {
		return nil, errEnd
	}
	if class&^cacheFlush != dns.ClassINET {
		return nil, nil
	}
	switch typ {
	case dns.TypeA, dns.TypeAAAA, dns.TypePTR, dns.TypeSRV:
		rr, _, err := dns.UnpackRR(r.b[:r.at], start)
		return rr, err
	case dns.TypeTXT:
		name, _, err := dns.UnpackDomainName(r.b, start)
		if err != nil {
			return nil, err
		}
		return &dns.TXT{
			Hdr: dns.RR_Header{Name: name, Rrtype: typ, Class: class, Ttl: binary.BigEndian.Uint32(r.b[head+4:]), Rdlength: uint16(r.at - data)},
			Txt: texts(r.b[data:r.at]),
		}, nil
	}
	return nil, nil
}

// texts reads the strings of a TXT record as far as they go, in the spelling of
// package dns (RFC 1035 section 5.1).
func texts(b []byte) (out []string) {
	for len(b) > 0 {
		n := int(b[0])
		if n >= len(b) {
			break
		}
		var s strings.Builder
		for _, c := range b[1 : 1+n] {
			if c < ' ' || c > '~' || c == '"' || c == '\\' {
				fmt.Fprintf(&s, `\%03d`, c)
			} else {
				s.WriteByte(c)
			}
		}
		out = append(out, s.String())
		b = b[1+n:]
	}
	return out
}
