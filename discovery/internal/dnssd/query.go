package dnssd

import (
	"context"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/thingwarden/thingwarden/discovery/prober"
)

const (
	mdnsPort = 5353
	// maxAnswer is how many records of an answer are read.
	maxAnswer = 256
)

// Query queries a device itself for its instances of a service type, at one address
// after the other until one answers. The query comes from an ephemeral port, so the
// answer comes back by unicast, with all records that belong to it (RFC 6762
// section 6.7, RFC 6763 section 12.1).
func Query(ctx context.Context, t *prober.Target, typ string) (found []Instance, err error) {
	err = prober.ErrNotProbed
	for _, a := range prober.Addresses(t.Device(), t.Networks()) {
		at, atErr := t.At(a)
		if atErr != nil {
			continue
		}
		if found, err = query(ctx, at, typ); err == nil || ctx.Err() != nil {
			return found, err
		}
	}
	return nil, err
}

func query(ctx context.Context, t *prober.Target, typ string) ([]Instance, error) {
	q := new(dns.Msg)
	q.SetQuestion(typ+".local.", dns.TypePTR)
	q.Id, q.RecursionDesired = 0, false // as on multicast: the port distinguishes answers
	b, err := q.Pack()
	if err != nil {
		return nil, prober.ErrNotProbed
	}
	reply, err := t.Exchange(ctx, mdnsPort, b)
	if err != nil {
		return nil, err
	}
	found, ok := ReadServices(reply, q.Id, typ, t.Addr())
	if !ok {
		return nil, prober.ErrUnreadable
	}
	return found, nil
}

// ReadServices reads the instances of a type in an answer. Those of a host that
// has other addresses than the one that was queried are another's.
func ReadServices(b []byte, id uint16, typ string, from netip.Addr) ([]Instance, bool) {
	m, err := ReadMessage(b)
	if err != nil || !m.Response || m.ID != id || m.Rcode != dns.RcodeSuccess {
		return nil, false
	}
	addrs := map[string][]netip.Addr{}
	txt := map[string]map[string]string{}
	var srvs []*dns.SRV
	for _, rr := range m.Records[:min(len(m.Records), maxAnswer)] {
		name := dns.CanonicalName(rr.Header().Name)
		switch r := rr.(type) {
		case *dns.SRV:
			srvs = append(srvs, r)
		case *dns.TXT:
			if _, had := txt[name]; !had {
				_, txt[name] = ParseTXT(r.Txt)
			}
		case *dns.A:
			if a, ok := netip.AddrFromSlice(r.A.To4()); ok {
				addrs[name] = append(addrs[name], a)
			}
		case *dns.AAAA:
			if a, ok := netip.AddrFromSlice(r.AAAA.To16()); ok {
				addrs[name] = append(addrs[name], a)
			}
		}
	}
	var out []Instance
	for _, srv := range srvs {
		name, of, ok := InstanceName(srv.Hdr.Name)
		own := addrs[dns.CanonicalName(srv.Target)]
		if !ok || of != typ || len(own) > 0 && !slices.Contains(own, from) {
			continue
		}
		out = append(out, Instance{Name: name, Type: of, Port: int(srv.Port), TXT: txt[dns.CanonicalName(srv.Hdr.Name)]})
	}
	return out, len(out) > 0 || m.Skipped == 0
}
