package mdns

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/dnssd"
	"github.com/thingwarden/thingwarden/discovery/inventory"
)

const (
	// maxHosts is the number of senders that are remembered, which is twice that
	// of devices: one may speak IPv4 and IPv6.
	maxHosts = 2 * inventory.MaxDevices
	// maxUnproven is how many of them may be there that came lately: a home does not
	// get so many new devices at once (threat T14).
	maxUnproven = 512
	// coalesce is how long a known host is listened to before its change is
	// reported, since an announcement takes several packets.
	coalesce = 10 * time.Millisecond
	// breather is the least time between two rounds of work.
	breather = 2 * time.Millisecond
	// perRecord makes looking at a host that announces a lot rarer.
	perRecord = 100 * time.Microsecond
	// silence is how long no answer at all may come before that is reported.
	silence = 10 * time.Second
	// proven is how long a host must have been heard before it is kept in favour
	// of new ones when there are too many.
	proven = 2 * time.Minute
)

// browser is the state of all links. One goroutine owns it. Inside it time is
// time.Now, which a change of the clock does not move; only facts carry the
// agent's time.
type browser struct {
	env    discovery.Env
	send   func(linkID, []byte)
	want   func(target)
	report func(discovery.Observation)

	links   map[linkID]*link
	hosts   map[hostKey]*host
	total   amount
	wake    time.Time // when work must be called; zero if it need not be
	worked  time.Time
	evicted time.Time

	unproven int       // hosts that came lately, at most
	counted  time.Time // when they were last counted

	started  time.Time // when the first link came up
	answered bool      // an answer of another host has come
	status   string    // the text last given to Env.Health; "-" before the first
}

func newBrowser(env discovery.Env, send func(linkID, []byte), want func(target), report func(discovery.Observation)) *browser {
	return &browser{
		env: env, send: send, want: want, report: report,
		links: map[linkID]*link{}, hosts: map[hostKey]*host{}, status: "-",
	}
}

func (b *browser) run(ctx context.Context, in inbox) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case p := <-in.packets:
			b.receive(p, time.Now())
		case l := <-in.links:
			b.setLinks(l, time.Now())
		case h := <-in.hints:
			b.take(h, time.Now())
		case <-timer.C:
		}
		if b.wake.IsZero() {
			continue
		}
		now := time.Now()
		start := later(b.wake, b.worked.Add(breather))
		if !now.Before(start) {
			b.work(now)
			start = later(b.wake, now.Add(breather))
		}
		timer.Reset(start.Sub(now))
	}
}

// setLinks follows the watched networks.
func (b *browser) setLinks(want map[linkID]linkInfo, now time.Time) {
	b.wake = now
	for id := range b.links {
		if _, ok := want[id]; !ok {
			b.dropLink(id, now)
		}
	}
	for id, info := range want {
		switch l := b.links[id]; {
		case l == nil:
			b.links[id] = newLink(info, now)
		case !l.equal(info):
			l.linkInfo = info
			l.restart(now)
		}
	}
	if len(b.links) > 0 && b.started.IsZero() {
		b.started = now
	}
	b.checkOwners(b.env.Owners(), now)
}

// dropLink forgets a link. Its hosts have not gone, they are only out of reach.
func (b *browser) dropLink(id linkID, now time.Time) {
	delete(b.links, id)
	for k, h := range b.hosts {
		if k.link == id {
			b.retract(h, fact.SourceDown, now)
			b.remove(h)
		}
	}
}

func (b *browser) remove(h *host) {
	h.clear()
	delete(b.hosts, h.hostKey)
}

// receive takes a datagram in. Nothing in it is trusted.
func (b *browser) receive(p packet, now time.Time) {
	l := b.links[p.link]
	// Answers come from port 5353 (RFC 6762 section 6) and from the link (section 11).
	if l == nil || p.from.Port() != port || !l.onLink(p.from.Addr()) || len(p.data) > maxPacket {
		return
	}
	k := hostKey{p.link, p.from.Addr()}
	h := b.hosts[k]
	if h != nil && !h.limit.AllowN(now, 1) {
		return
	}
	m, err := dnssd.ReadMessage(p.data)
	// RFC 6762 section 18: other opcodes and response codes are ignored.
	if err != nil || m.Opcode != dns.OpcodeQuery || m.Rcode != dns.RcodeSuccess {
		return
	}
	if m.Response && len(m.Records) == 0 && m.Skipped > 0 {
		return // none of it is readable
	}
	if h == nil {
		if h = b.admit(k, l, now); h == nil {
			return
		}
	}
	h.last = now
	switch {
	case m.Response:
		b.answer(h, m, now)
	case h.gone || now.Sub(h.reportedAt) >= presentEvery:
		h.gone = false
		h.wake(now)
	}
	if h.reportedAt.IsZero() {
		b.serve(h, now) // a new device is reported without delay
	}
	b.wake = earliest(b.wake, h.due)
}

// answer takes the records of a response in.
func (b *browser) answer(h *host, m dnssd.Message, now time.Time) {
	if !h.hub() {
		b.answered = true
	}
	if m.Skipped > 0 && !h.garbled {
		h.garbled = true
		b.env.Log.Debug("multicast DNS records that can't be read are skipped", "host", h.sender(), "records", m.Skipped)
	}
	for _, rr := range m.Records {
		r, flush := parseRecord(rr)
		if r == nil {
			continue
		}
		if !h.put(r, flush, now) {
			b.greedy(h)
			continue
		}
		h.gone = h.gone && r.ttl == 0
		b.learn(h, r, now)
	}
	h.wake(now.Add(coalesce + time.Duration(h.amount.records)*perRecord))
}

func (b *browser) greedy(h *host) {
	if !h.greedy {
		h.greedy = true
		b.env.Log.Debug("multicast DNS records beyond a host's share are ignored", "host", h.sender(), "records", h.amount.records, "bytes", h.amount.bytes)
	}
}

// learn browses the service type that a record shows.
func (b *browser) learn(h *host, r *record, now time.Time) {
	name := r.name
	switch {
	case r.addr.IsValid() || r.ttl == 0:
		return
	case r.name == metaName:
		name = r.target
	case r.typ != dns.TypePTR:
		_, typ, _ := dnssd.InstanceName(r.name)
		name = dns.CanonicalName(typ + ".local.")
	}
	if !h.given[name] && len(h.given) >= maxHostTypes {
		return
	}
	h.given[name] = true
	h.at.learn(name, now)
}

// work does everything whose time has come.
func (b *browser) work(now time.Time) {
	b.worked = now
	next := time.Time{}
	for _, h := range b.hosts {
		if !h.due.IsZero() && !now.Before(h.due) {
			b.serve(h, now)
		}
	}
	for _, h := range b.hosts { // serving one may have woken another
		next = earliest(next, h.due)
	}
	for id, l := range b.links {
		senders := sync.OnceValue(func() []*host { return b.senders(id) })
		alive := func(name string) bool {
			return slices.ContainsFunc(senders(), func(h *host) bool { return h.offers(name) })
		}
		next = earliest(next, l.due(now, alive))
		known := func(k key) []dns.RR { return knownAnswers(k, senders(), now) }
		next = earliest(next, l.flush(now, known, b.send))
	}
	b.wake = earliest(next, b.checkHealth(now))
}

func (b *browser) senders(id linkID) []*host {
	var out []*host
	for k, h := range b.hosts {
		if k.link == id {
			out = append(out, h)
		}
	}
	return out
}

// serve brings a host up to date: its cache, our questions, and its report.
func (b *browser) serve(h *host, now time.Time) {
	h.due = time.Time{}
	h.wakeUnlessZero(h.expire(now))
	if h.silent(now) {
		b.withdraw(h, now)
		b.remove(h)
		return
	}
	h.refresh(now)
	h.follow(now)
	b.reportChange(h, now)
	if typ, ok := h.unanswered(); ok && now.Sub(h.queriedAt) > hourly {
		h.queriedAt = now
		b.want(target{host: h.hostKey, iface: h.at.iface, typ: typ})
	}
	if len(h.records) == 0 {
		h.wake(h.last.Add(forgetAfter))
	}
}

// take follows instance names that the querier has found. They are a hint only:
// what counts is what the host then answers itself.
func (b *browser) take(x hint, now time.Time) {
	h := b.hosts[x.host]
	if h == nil {
		return
	}
	for _, n := range x.instances {
		n = dns.CanonicalName(n)
		if _, _, ok := dnssd.InstanceName(n); ok {
			h.question(key{n, dns.TypeSRV}, now)
			h.question(key{n, dns.TypeTXT}, now)
		}
	}
	b.wake = now
}

// checkHealth reports the source's health on change, and returns when to check again.
func (b *browser) checkHealth(now time.Time) (again time.Time) {
	problem := ""
	switch end := b.started.Add(silence); {
	case b.started.IsZero() || len(b.links) == 0:
		problem = "No home network accepts multicast DNS, so Thingwarden does not see devices that announce themselves."
	case !b.answered && now.Before(end):
		return end
	case !b.answered:
		problem = "No device has answered on multicast DNS. In a container, give Thingwarden the host's network; on Wi-Fi, check that multicast between devices is not blocked."
	default:
		problem = b.reflectors()
	}
	if problem == b.status {
		return time.Time{}
	}
	b.status = problem
	if problem == "" {
		b.env.Health(discovery.OK, "")
	} else {
		b.env.Health(discovery.Degraded, problem)
	}
	return time.Time{}
}

func (b *browser) reflectors() string {
	var repeaters []netip.Addr
	for _, h := range b.hosts {
		if h.foreign {
			repeaters = append(repeaters, h.sender())
		}
	}
	if len(repeaters) == 0 {
		return ""
	}
	slices.SortFunc(repeaters, netip.Addr.Compare)
	others := ""
	if n := len(repeaters) - 1; n > 0 {
		others = fmt.Sprintf(" (and %d more)", n)
	}
	return fmt.Sprintf("The device at %v%s announces services of other devices, as a multicast DNS repeater does. Thingwarden ignores what it announces for them.", repeaters[0], others)
}

// offers reports whether the host has anything of a service type.
func (h *host) offers(name string) bool {
	if h.has(key{name, dns.TypePTR}) {
		return true
	}
	typ, _ := dnssd.ServiceType(name)
	for k := range maps.Keys(h.records) {
		if _, t, ok := dnssd.InstanceName(k.name); ok && t == typ {
			return true
		}
	}
	return false
}
