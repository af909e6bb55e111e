package probe

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/source/dnssd"
)

// DNSSD asks a device for the services that somebody else says it announces.
var DNSSD = &discovery.Probe{
	Name: "dnssd",
	Doc: "Asks a device itself, by multicast DNS sent to its own address only, for the services of which another one told that it announces them: " +
		"what anybody may say about it becomes what it says.",
	Touch:   discovery.Read,
	Gives:   dnssdWords,
	Every:   6 * time.Hour,
	Applies: announcedByOthers,
	Run:     runDNSSD,
}

var dnssdWords = []string{
	fact.DeviceModel.Name(), fact.DeviceManufacturer.Name(), fact.DeviceFirmware.Name(), fact.DeviceClass.Name(),
	fact.DevicePlatform.Name(), fact.DeviceFirmwareDate.Name(), fact.ControlEncrypted.Name(), fact.HomeKitPaired.Name(),
}

const (
	dnssdPort = 5353
	// maxTypes is how many service types a device is asked for, one by one, since
	// many answer only the first question of a message.
	maxTypes = 5
	// maxAnswered is how many records of an answer are read.
	maxAnswered = 256
)

// announcedByOthers reports whether the device's services are known only by the
// word of somebody who heard them in its network.
func announcedByOthers(d discovery.Device, ev *fact.Evidence) bool {
	_, told := fact.MDNSServices.Get(ev)
	return told && !slices.Contains(d.Sources, "mdns") && reachable(d, ev)
}

func runDNSSD(ctx context.Context, t *discovery.Target, report func(discovery.Observation)) error {
	types, _ := fact.MDNSServices.Get(t.Known())
	var all []dnssd.Instance
	why := fact.NotTold
	asked := 0
	for _, typ := range types {
		if asked == maxTypes || !dnssd.Tells(typ) {
			continue
		}
		asked++
		found, err := askServices(ctx, t, typ)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			why = discovery.WhyOf(err)
			if errors.Is(err, discovery.ErrClosed) || errors.Is(err, discovery.ErrNoAnswer) {
				break // it answers no question of this sort
			}
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b dnssd.Instance) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Port, b.Port))
	})
	o := discovery.Observation{About: t.About(), Facts: t.Evidence(), Name: dnssd.BestName(all)}
	dnssd.Describe(o.Facts, all, t.Now())
	for _, word := range dnssdWords {
		o.Facts.MarkUnknown(word, why)
	}
	report(o)
	return nil
}

// askServices asks for the instances of a service type. The question comes from an
// ephemeral port, so the answer comes back by unicast, with all records that
// belong to it (RFC 6762 section 6.7, RFC 6763 section 12.1).
func askServices(ctx context.Context, t *discovery.Target, typ string) ([]dnssd.Instance, error) {
	q := new(dns.Msg)
	q.SetQuestion(typ+".local.", dns.TypePTR)
	q.RecursionDesired = false
	b, err := q.Pack()
	if err != nil {
		return nil, discovery.ErrNotAsked
	}
	reply, err := t.Exchange(ctx, dnssdPort, b)
	if err != nil {
		return nil, err
	}
	found, ok := readServices(reply, q.Id, typ, t.Addr())
	if !ok {
		return nil, discovery.ErrUnreadable
	}
	return found, nil
}

// readServices reads the instances of a type in an answer. Those of a host that
// has other addresses than the one that was asked are another's.
func readServices(b []byte, id uint16, typ string, from netip.Addr) ([]dnssd.Instance, bool) {
	var m dns.Msg
	if m.Unpack(b) != nil || !m.Response || m.Id != id || m.Rcode != dns.RcodeSuccess {
		return nil, false
	}
	addrs := map[string][]netip.Addr{}
	txt := map[string]map[string]string{}
	var srvs []*dns.SRV
	for i, rr := range slices.Concat(m.Answer, m.Extra) {
		if i == maxAnswered {
			break
		}
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
	return out, true
}
