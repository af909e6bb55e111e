package mdns

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/dnssd"
)

// belief is how far a sender is believed about a host name.
type belief int

const (
	unproven belief = iota // may be its own; not reported
	own                    // the sender is that host
	foreign                // the sender speaks for another host
)

// believe judges whether the sender is the host of that name, by the addresses
// that the sender itself gives for it (threat T12). Again is when
// missing address records will be taken for "there are none".
func (h *host) believe(name string, now time.Time, since time.Time) (b belief, again time.Time) {
	defer func() {
		switch {
		case b == own:
			delete(h.doubted, name)
		case again.IsZero() && len(h.doubted) < maxHostQuestions:
			h.doubted[name] = b
		}
	}()
	before, doubted := h.doubted[name]
	var same, other []netip.Addr // of the sender's family and scope, and the rest
	scope := h.addr.IsLinkLocalUnicast()
	for _, t := range []uint16{dns.TypeA, dns.TypeAAAA} {
		for _, r := range h.records[key{name, t}] {
			switch {
			case r.addr == h.addr:
				return own, time.Time{}
			case r.addr.Is4() == h.addr.Is4() && (h.addr.Is4() || r.addr.IsLinkLocalUnicast() == scope):
				same = append(same, r.addr)
			default:
				other = append(other, r.addr)
			}
		}
	}
	switch {
	case len(same) > 0:
		return foreign, time.Time{}
	case len(other) == 0 && doubted:
		return before, time.Time{} // the addresses were another's and have expired
	case len(other) == 0 && now.Sub(since) >= grace:
		return own, time.Time{}
	case len(other) == 0:
		return unproven, since.Add(grace)
	case h.addr.Is6() && scope && !slices.ContainsFunc(other, func(a netip.Addr) bool { return !a.Is6() || !h.at.onLink(a) }):
		// Avahi sends from its link-local address and names only its wider ones.
		return own, time.Time{}
	default:
		return unproven, time.Time{}
	}
}

// view is what is known about a host now.
type view struct {
	name     string
	services []discovery.Service
	facts    *fact.Evidence
	hosts    []string  // names of the host that are its own, sorted
	foreign  bool      // it speaks for others
	again    time.Time // when time alone will change the view; zero if it will not
}

func (h *host) view(now, clock time.Time) view {
	v := view{facts: fact.New(name, clock)}
	spelling := map[string]string{} // of the host's own names
	for k, same := range h.records {
		for _, r := range same {
			if r.addr == h.addr {
				spelling[k.name] = r.spelling
			}
		}
	}
	all := h.instances(now, &v, spelling)
	v.hosts = slices.Sorted(maps.Keys(spelling))
	host, readable := pickHost(v.hosts, spelling)

	if !h.hub() {
		fact.DeviceKind.Set(v.facts, "lan", "udp/5353")
	}
	if host != "" {
		fact.DeviceHostname.Set(v.facts, host, host+".local")
	}
	if types := dnssd.Types(all); len(types) > 0 {
		fact.MDNSServices.Set(v.facts, types, "udp/5353 SRV")
	}
	dnssd.Describe(v.facts, all)
	h.setMatter(&v, all, now)
	v.services = dnssd.Services(all)
	if v.name = dnssd.BestName(all); v.name == "" && readable {
		v.name = host
	}
	if end := h.first.Add(finished); now.Before(end) {
		v.again = earliest(v.again, end)
	} else {
		v.facts.Finish(name)
	}
	return v
}

// instances returns the services that the host has, sorted.
func (h *host) instances(now time.Time, v *view, spelling map[string]string) []dnssd.Instance {
	var out []dnssd.Instance
	for k := range h.records {
		if k.typ != dns.TypeSRV {
			continue
		}
		srv := h.newest(k)
		b, again := h.believe(srv.target, now, srv.created)
		v.again = earliest(v.again, again)
		if b == foreign {
			v.foreign = true
		}
		inst, typ, ok := dnssd.InstanceName(srv.spelling)
		if b != own || !ok {
			continue
		}
		if spelling[srv.target] == "" {
			spelling[srv.target] = srv.target
		}
		i := dnssd.Instance{Name: inst, Type: typ, Port: srv.port}
		if txt := h.newest(key{k.name, dns.TypeTXT}); txt != nil {
			i.TXT = txt.txt
		}
		out = append(out, i)
	}
	slices.SortFunc(out, func(a, b dnssd.Instance) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Port, b.Port))
	})
	return out
}

// pickHost takes the first name that means something to people: more than a number
// in hexadecimal, as Matter and HomeKit programs use beside the machine's name.
func pickHost(names []string, spelling map[string]string) (best string, readable bool) {
	for _, n := range names {
		host, ok := dnssd.HostName(spelling[n])
		if !ok {
			continue
		}
		if strings.Trim(strings.ToLower(host), "0123456789abcdef_-:") != "" {
			return host, true
		}
		if best == "" {
			best = host
		}
	}
	return best, false
}

// setMatter reads commissionable and operational discovery (Matter core
// specification sections 4.3.1 and 4.3.2): CM is 1 or 2 while the device accepts
// a new controller, and each fabric has an instance <fabric>-<node>.
func (h *host) setMatter(v *view, all []dnssd.Instance, now time.Time) {
	window, fabrics, seen, joining := "", map[string]bool{}, false, false
	for _, i := range all {
		switch i.Type {
		case "_matterc._udp":
			seen, joining = true, true
			if cm := i.TXT["cm"]; (cm == "1" || cm == "2") && window == "" {
				window = "_matterc._udp CM=" + cm
			}
		case "_matter._tcp":
			if fabric, _, ok := strings.Cut(i.Name, "-"); ok && len(fabric) == 16 {
				seen = true
				fabrics[strings.ToLower(fabric)] = true
			}
		}
	}
	if seen && h.matter.IsZero() {
		h.matter = now
		h.at.learn("_matter._tcp.local.", now)
		h.at.learn("_matterc._udp.local.", now)
	}
	if h.matter.IsZero() {
		return
	}
	// Until the host has had the time to answer, silence is not "no".
	end := h.matter.Add(grace)
	settled := !now.Before(end)
	if !settled {
		v.again = earliest(v.again, end)
	}
	if window != "" || settled {
		fact.MatterAnnounced.Set(v.facts, window != "", cmp.Or(window, "no _matterc._udp with CM=1 or 2"))
	}
	if len(fabrics) > 0 || joining && settled {
		proof := fmt.Sprintf("_matter._tcp: %d", len(fabrics))
		fact.MatterJoined.Set(v.facts, len(fabrics) > 0, proof)
		fact.MatterFabrics.Set(v.facts, int64(len(fabrics)), proof)
	}
}
