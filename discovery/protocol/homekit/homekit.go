// Package homekit asks HomeKit accessories whether they wait for pairing.
package homekit

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/dnssd"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe asks an accessory whether it waits for pairing.
var Probe = &prober.Probe{
	Name: "homekit",
	Doc: "Asks a HomeKit accessory itself, by multicast DNS sent to its own address only, whether it has been paired, " +
		"where only another one told that it announces HomeKit: what anybody may say about it becomes what it says.",
	Touch:   prober.Read,
	Gives:   words,
	Every:   6 * time.Hour,
	Applies: saidToBeHomeKit,
	Run:     run,
}

var words = []string{fact.DeviceClass.Name(), fact.DeviceModel.Name(), fact.HomeKitPaired.Name()}

const (
	mdnsPort = 5353
	// maxRecords is how many records of an answer are read.
	maxRecords = 256
)

// saidToBeHomeKit reports whether the device's HomeKit services are known only by
// the word of somebody who heard them in its network.
func saidToBeHomeKit(d discovery.Device, ev *fact.Evidence) bool {
	return len(homeKitTypes(ev)) > 0 && !slices.Contains(d.Sources, "mdns") && prober.Reachable(d, ev)
}

func homeKitTypes(ev *fact.Evidence) []string {
	types, _ := fact.MDNSServices.Get(ev)
	return slices.DeleteFunc(slices.Clone(types), func(typ string) bool { return typ != "_hap._tcp" && typ != "_hap._udp" })
}

func run(ctx context.Context, t *prober.Target, report func(discovery.Observation)) error {
	var all []dnssd.Instance
	why := fact.NotTold
	for _, typ := range homeKitTypes(t.Known()) {
		found, err := askServices(ctx, t, typ)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			why = prober.WhyOf(err)
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b dnssd.Instance) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Port, b.Port))
	})
	o := discovery.Observation{About: t.About(), Facts: t.Evidence(), Name: fact.Clean(dnssd.BestName(all), discovery.MaxName)}
	dnssd.Describe(o.Facts, all, t.Now())
	for _, word := range words {
		o.Facts.MarkUnknown(word, why)
	}
	report(o)
	return nil
}

// askServices asks for the instances of a service type. The question comes from an
// ephemeral port, so the answer comes back by unicast, with all records that
// belong to it (RFC 6762 section 6.7, RFC 6763 section 12.1).
func askServices(ctx context.Context, t *prober.Target, typ string) ([]dnssd.Instance, error) {
	q := new(dns.Msg)
	q.SetQuestion(typ+".local.", dns.TypePTR)
	q.Id, q.RecursionDesired = 0, false // as on multicast: the port tells answers apart
	b, err := q.Pack()
	if err != nil {
		return nil, prober.ErrNotAsked
	}
	reply, err := t.Exchange(ctx, mdnsPort, b)
	if err != nil {
		return nil, err
	}
	found, ok := readServices(reply, q.Id, typ, t.Addr())
	if !ok {
		return nil, prober.ErrUnreadable
	}
	return found, nil
}

// readServices reads the instances of a type in an answer. Those of a host that
// has other addresses than the one that was asked are another's.
func readServices(b []byte, id uint16, typ string, from netip.Addr) ([]dnssd.Instance, bool) {
	m, err := dnssd.ReadMessage(b)
	if err != nil || !m.Response || m.ID != id || m.Rcode != dns.RcodeSuccess {
		return nil, false
	}
	addrs := map[string][]netip.Addr{}
	txt := map[string]map[string]string{}
	var srvs []*dns.SRV
	for _, rr := range m.Records[:min(len(m.Records), maxRecords)] {
		name := dns.CanonicalName(rr.Header().Name)
		switch r := rr.(type) {
		case *dns.SRV:
			srvs = append(srvs, r)
		case *dns.TXT:
			if _, had := txt[name]; !had {
				_, txt[name] = dnssd.ParseTXT(r.Txt)
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
	var out []dnssd.Instance
	for _, srv := range srvs {
		name, of, ok := dnssd.InstanceName(srv.Hdr.Name)
		own := addrs[dns.CanonicalName(srv.Target)]
		if !ok || of != typ || len(own) > 0 && !slices.Contains(own, from) {
			continue
		}
		out = append(out, dnssd.Instance{Name: name, Type: of, Port: int(srv.Port), TXT: txt[dns.CanonicalName(srv.Hdr.Name)]})
	}
	return out, len(out) > 0 || m.Skipped == 0
}
