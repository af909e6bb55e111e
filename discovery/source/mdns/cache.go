package mdns

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"github.com/thingwarden/thingwarden/discovery/internal/dnssd"
)

const (
	// maxTTL bounds the time to live that a host can demand; the records of live
	// hosts are refreshed long before. RFC 6762 section 10 recommends 75 minutes at
	// most.
	maxTTL = 2 * time.Hour
	// minRefresh is the shortest TTL for which a record is refreshed before its end.
	minRefresh = 10 * time.Second
	// lastSecond is how long a record stays after a goodbye or after another
	// took its place (RFC 6762 sections 10.1 and 10.2).
	lastSecond = time.Second

	maxRData         = 2048      // bytes of one record's data; RFC 6763 section 6.2 advises 1,300 at most
	maxSenderRecords = 1024      // records of one sender
	maxSenderBytes   = 256 << 10 // memory of one sender's records
	maxRecords       = 8 << 10   // records of all senders
	maxBytes         = 4 << 20   // memory of all senders' records
	freeRecords      = 24        // records that a sender may have even when others have used everything up
	freeBytes        = 8 << 10   // memory that goes with them
	recordOverhead   = 512       // bytes that a record takes beside its texts
	cacheFlush       = 1 << 15   // top bit of a record's class (RFC 6762 section 10.2)
)

// key is the subject of a question: a name in canonical form and a type.
type key struct {
	name string
	typ  uint16
}

// record is a resource record of which we make use: PTR, SRV, TXT, A or AAAA.
type record struct {
	key
	data string // identity of the record within its key

	target   string // PTR, SRV: canonical name
	spelling string // PTR: the target, others: the owner, as the host spells it
	port     int    // SRV
	txt      map[string]string
	addr     netip.Addr

	ttl                        time.Duration
	created, received, expires time.Time
	refreshed                  int // how many of refreshAt have passed
}

func (r *record) size() int {
	return recordOverhead + len(r.name) + 2*len(r.data) + len(r.target) + len(r.spelling) + 64*len(r.txt)
}

// parseRecord returns nil for records of which no use is made.
func parseRecord(rr dns.RR) (r *record, flush bool) {
	h := rr.Header()
	if h.Class&^cacheFlush != dns.ClassINET || h.Rdlength > maxRData {
		return nil, false
	}
	r = &record{key: key{dns.CanonicalName(h.Name), h.Rrtype}, ttl: min(time.Duration(h.Ttl)*time.Second, maxTTL)}
	ok := false
	switch x := rr.(type) {
	case *dns.PTR:
		r.target, r.spelling = dns.CanonicalName(x.Ptr), x.Ptr
		r.data = r.target
		ok = r.isServicePTR()
	case *dns.SRV:
		r.target, r.spelling, r.port = dns.CanonicalName(x.Target), x.Hdr.Name, int(x.Port)
		r.data = fmt.Sprintf("%d %s", x.Port, r.target)
		_, _, ok = dnssd.InstanceName(r.name)
	case *dns.TXT:
		r.data, r.txt = dnssd.ParseTXT(x.Txt)
		_, _, ok = dnssd.InstanceName(r.name)
	case *dns.A:
		r.spelling = h.Name
		r.addr, ok = netip.AddrFromSlice(x.A.To4())
		r.data = r.addr.String()
	case *dns.AAAA:
		r.spelling = h.Name
		r.addr, ok = netip.AddrFromSlice(x.AAAA.To16())
		r.data = r.addr.String()
	}
	if ok && r.addr.IsValid() {
		_, ok = dnssd.HostName(r.name)
	}
	if !ok {
		return nil, false
	}
	return r, h.Class&cacheFlush != 0
}

func (r *record) isServicePTR() bool {
	if r.name == metaName {
		_, ok := dnssd.ServiceType(r.target)
		return ok
	}
	typ, ok := dnssd.ServiceType(r.name)
	_, of, isInstance := dnssd.InstanceName(r.target)
	return ok && isInstance && typ == of
}

// amount counts records and their bytes.
type amount struct{ records, bytes int }

// cache holds the records of one sender. Its maps are never shared.
type cache struct {
	records map[key]map[string]*record
	amount
	total *amount // of all senders
}

func newCache(total *amount) cache {
	return cache{records: map[key]map[string]*record{}, total: total}
}

// put takes a record in. False means that the sender has used up its share.
func (c *cache) put(r *record, flush bool, now time.Time) bool {
	same := c.records[r.key]
	if flush {
		for _, o := range same {
			if o.data != r.data && now.Sub(o.received) > lastSecond {
				o.endBy(now.Add(lastSecond))
			}
		}
	}
	old := same[r.data]
	if r.ttl == 0 {
		if old != nil {
			old.endBy(now.Add(lastSecond))
		}
		return true
	}
	r.created, r.received, r.expires = now, now, now.Add(r.ttl)
	if old != nil {
		r.created = old.created
		same[r.data] = r
		return true
	}
	if !c.fits(r) {
		return false
	}
	if same == nil {
		same = map[string]*record{}
		c.records[r.key] = same
	}
	same[r.data] = r
	c.count(1, r.size())
	return true
}

func (c *cache) fits(r *record) bool {
	if c.amount.records >= maxSenderRecords || c.amount.bytes+r.size() > maxSenderBytes {
		return false
	}
	return c.amount.records < freeRecords && c.amount.bytes+r.size() <= freeBytes || c.total.records < maxRecords && c.total.bytes < maxBytes
}

func (c *cache) count(records, bytes int) {
	c.amount.records += records
	c.amount.bytes += bytes
	c.total.records += records
	c.total.bytes += bytes
}

func (r *record) endBy(t time.Time) {
	if t.Before(r.expires) {
		r.expires = t
		r.refreshed = len(refreshAt)
	}
}

// expire removes records whose time is over and returns when the next one's is.
func (c *cache) expire(now time.Time) (next time.Time) {
	for k, same := range c.records {
		for data, r := range same {
			if !now.Before(r.expires) {
				delete(same, data)
				c.count(-1, -r.size())
				continue
			}
			next = earliest(next, r.expires)
		}
		if len(same) == 0 {
			delete(c.records, k)
		}
	}
	return next
}

func (c *cache) clear() {
	c.count(-c.amount.records, -c.amount.bytes)
	clear(c.records)
}

// newest returns the record of a key that was heard last: of SRV and TXT there
// should be one, and while it changes the new one counts at once.
func (c *cache) newest(k key) *record {
	var best *record
	for _, r := range c.records[k] {
		if best == nil || r.received.After(best.received) || r.received.Equal(best.received) && r.data < best.data {
			best = r
		}
	}
	return best
}

func (c *cache) has(k key) bool { return len(c.records[k]) > 0 }

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// earliest returns the earlier of two times, of which zero means never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
