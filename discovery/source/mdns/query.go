package mdns

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/time/rate"
)

// Pace of questions. RFC 6762 section 5.2 requires intervals of at least one
// second that grow, up to an hour.
const (
	hourly           = time.Hour
	maxQuestions     = 12                    // in one message
	maxMessage       = 1400                  // bytes, so that no query is fragmented
	sendsPerSec      = 10                    // queries a second on a link
	sendsBurst       = 30                    // queries at once on a link
	maxPending       = 512                   // questions that wait on a link
	maxTypes         = 1024                  // service types browsed on a link
	maxHostTypes     = 64                    // service types that one sender can make us browse
	maxHostQuestions = 256                   // open questions about one sender
	questionsPerSec  = 20                    // questions a second about one sender
	questionsBurst   = 128                   // questions at once about one sender
	settle           = 20 * time.Millisecond // answers' additional records often follow at once
)

// browseAt are the pauses between the queries for a name of a link; then hourly.
var browseAt = [...]time.Duration{time.Second, 2 * time.Second, 6 * time.Second}

// followUpAt are the pauses before questions about one sender; then hourly.
var followUpAt = [...]time.Duration{settle, time.Second, 3 * time.Second}

// refreshAt are the points of a record's life, in percent, at which it is
// queried again (RFC 6762 section 5.2).
var refreshAt = [...]time.Duration{80, 85, 90, 95}

// browse is a question that is put to the whole link again and again.
type browse struct {
	next time.Time
	step int
}

// followUp is a question about what one sender left open.
type followUp struct {
	next  time.Time
	tries int
}

// link is the browser's state of a link.
type link struct {
	linkInfo
	browse    map[string]*browse // by service type name, and metaName
	pending   []key
	limit     *rate.Limiter
	renewed   time.Time // when the meta query was last brought forward for a new host
	restarted time.Time // when all questions were last repeated for a new owner of an address
}

func newLink(info linkInfo, now time.Time) *link {
	l := &link{linkInfo: info, browse: map[string]*browse{}, limit: rate.NewLimiter(sendsPerSec, sendsBurst)}
	l.browse[metaName] = &browse{next: now}
	return l
}

// restart repeats all questions, as after a change of the network.
func (l *link) restart(now time.Time) {
	for _, q := range l.browse {
		*q = browse{next: now}
	}
}

// learn begins to browse a service type.
func (l *link) learn(name string, now time.Time) {
	if l.browse[name] == nil && len(l.browse) < maxTypes {
		l.browse[name] = &browse{next: now.Add(settle)}
	}
}

// welcome brings the meta query forward, so that a new host that does not announce
// itself is queried for its services.
func (l *link) welcome(now time.Time) {
	if now.Sub(l.renewed) < 10*time.Second {
		return
	}
	l.renewed = now
	if q := l.browse[metaName]; q.next.After(now.Add(time.Second)) {
		*q = browse{next: now.Add(settle), step: 1}
	}
}

func (l *link) enqueue(k key) bool {
	if len(l.pending) >= maxPending {
		return false
	}
	if slices.Contains(l.pending, k) {
		return true
	}
	l.pending = append(l.pending, k)
	return true
}

// due queues the browse questions whose time has come, drops types of which
// nothing is left, and returns when the next is due.
func (l *link) due(now time.Time, alive func(name string) bool) (next time.Time) {
	for name, q := range l.browse {
		if !now.Before(q.next) {
			if q.step > len(browseAt) && name != metaName && !alive(name) {
				delete(l.browse, name)
				continue
			}
			l.enqueue(key{name, dns.TypePTR})
			pause := hourly + rand.N(hourly/50) // so that many hubs do not query in step
			if q.step < len(browseAt) {
				pause = browseAt[q.step]
			}
			q.step++
			q.next = now.Add(pause)
		}
		next = earliest(next, q.next)
	}
	return next
}

// flush sends what is pending, as fast as the pace allows, and returns when it
// wants to go on; zero if nothing is left.
func (l *link) flush(now time.Time, known func(key) []dns.RR, send func(linkID, []byte)) time.Time {
	for len(l.pending) > 0 {
		if !l.limit.AllowN(now, 1) {
			return now.Add(time.Second / sendsPerSec)
		}
		n := min(len(l.pending), maxQuestions)
		if msg := query(l.pending[:n], known); msg != nil {
			send(l.linkID, msg)
		}
		l.pending = append(l.pending[:0], l.pending[n:]...)
	}
	return time.Time{}
}

// query packs questions with the answers that are known already (RFC 6762
// section 7.1), as many of these as fit.
func query(questions []key, known func(key) []dns.RR) []byte {
	m := &dns.Msg{Compress: true}
	for _, k := range questions {
		m.Question = append(m.Question, dns.Question{Name: k.name, Qtype: k.typ, Qclass: dns.ClassINET})
	}
	size := m.Len()
	for _, k := range questions {
		for _, rr := range known(k) {
			if size += dns.Len(rr); size > maxMessage {
				break
			}
			m.Answer = append(m.Answer, rr)
		}
	}
	b, err := m.Pack()
	if err != nil {
		return nil // a name that a host made up and that does not fit a packet
	}
	return b
}

// refreshDue reports whether a record should be refreshed now, and when next.
func (r *record) refreshDue(now time.Time) (due bool, next time.Time) {
	if r.ttl < minRefresh {
		return false, time.Time{}
	}
	for r.refreshed < len(refreshAt) {
		at := r.received.Add(r.ttl * refreshAt[r.refreshed] / 100)
		if now.Before(at) {
			return due, at
		}
		due = true
		r.refreshed++
	}
	return due, time.Time{}
}

// knownAnswers are the records of a question that no sender needs to repeat: those
// with more than half of their time to live left for each of their senders.
// One sender's fresh copy must not keep another from renewing its own.
func knownAnswers(k key, senders []*host, now time.Time) []dns.RR {
	if k.typ != dns.TypePTR {
		return nil
	}
	left := map[string]time.Duration{}
	spelling := map[string]string{}
	for _, h := range senders {
		for data, r := range h.records[k] {
			remains := r.expires.Sub(now)
			if remains <= r.ttl/2 {
				remains = 0
			}
			if old, ok := left[data]; !ok || remains < old {
				left[data], spelling[data] = remains, r.spelling
			}
		}
	}
	var out []dns.RR
	for data, remains := range left {
		if remains > 0 {
			out = append(out, &dns.PTR{
				Hdr: dns.RR_Header{Name: k.name, Rrtype: dns.TypePTR, Class: dns.ClassINET, Ttl: uint32(remains / time.Second)},
				Ptr: spelling[data],
			})
		}
	}
	return out
}

// metaName is the question for all service types of a link (RFC 6763 section 9).
const metaName = "_services._dns-sd._udp.local."
