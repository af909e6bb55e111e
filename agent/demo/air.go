package demo

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/oui"
	table "github.com/thingwarden/thingwarden/discovery/source/neighbours"
)

// announceEvery is how often devices say that they are there; before their
// records end, since they hear no questions.
const announceEvery = 30 * time.Second

// apart is how long after one another the kernel gets to know devices.
const apart = 150 * time.Millisecond

// neighbours stands in for the kernel's neighbour table: it tells which devices
// have an address.
func (h *Home) neighbours() discovery.SourceKind {
	k := table.Kind
	k.Default = func() discovery.SourceConfig { return neighbourTable{h} }
	return k
}

// neighbourTable is the configuration of neighbours.
type neighbourTable struct{ home *Home }

func (neighbourTable) Validate() error { return nil }

func (t neighbourTable) New(env discovery.Env) (discovery.Source, error) {
	return neighbours{t.home, env}, nil
}

type neighbours struct {
	home *Home
	env  discovery.Env
}

// Run implements discovery.Source.
func (s neighbours) Run(ctx context.Context, report func(discovery.Observation)) error {
	s.home.follow(ctx, apart, func(d *device) {
		mac := macOf(d.addr)
		proof := "neighbour table: " + d.addr.String()
		e := fact.New(table.Kind.Name, s.env.Now())
		fact.DeviceKind.Set(e, "lan", proof)
		fact.DeviceMACRandom.Set(e, oui.Random(mac.Value), discovery.FormatMAC(mac.Value))
		fact.DeviceOnline.Set(e, true, proof)
		fact.DeviceReachable.Set(e, true, proof)
		o := discovery.Observation{About: []discovery.Identifier{mac, discovery.IP(d.addr)}, Facts: e}
		if d.host != "" {
			o.Name = d.host
			fact.DeviceHostname.Set(e, d.host, "DHCP option 12")
		}
		report(o)
	})
	return nil
}

// follow calls tell for each device that is there, at once when it comes and now
// and then afterwards, with a gap between two of them, until ctx is done.
func (h *Home) follow(ctx context.Context, gap time.Duration, announce func(*device)) {
	announced := map[*device]time.Time{}
	for {
		all, changed := h.present()
		for _, d := range all {
			if at, before := announced[d]; before && time.Since(at) < announceEvery {
				continue
			}
			announced[d] = time.Now()
			announce(d)
			if !pause(ctx, gap, nil) {
				return
			}
		}
		if !pause(ctx, announceEvery, changed) {
			return
		}
	}
}

// pause waits for a time or until wake is closed, and reports whether ctx is not
// done.
func pause(ctx context.Context, wait time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-timer.C:
	}
	return true
}

// multicastDNS is the feed of mdns.KindOn.
func (h *Home) multicastDNS(ctx context.Context, receive func(netip.Addr, []byte)) {
	h.follow(ctx, 0, func(d *device) {
		messages := make([][]service, 0, 2)
		if d.host != "" {
			messages = append(messages, d.services)
		}
		if len(d.foreign) > 0 {
			messages = append(messages, d.foreign)
		}
		for _, services := range messages {
			b, err := d.announcement(services)
			if err != nil {
				h.log.Warn("simulated device announces nothing", "addr", d.addr, "err", err)
				continue
			}
			receive(d.addr, b)
		}
	})
}

// cacheFlush marks records of which the sender is the only owner (RFC 6762
// section 10.2).
const cacheFlush = 1 << 15

// announcement is an unasked answer (RFC 6762 section 8.3).
func (d *device) announcement(services []service) ([]byte, error) {
	m := dns.Msg{MsgHdr: dns.MsgHdr{Response: true, Authoritative: true}, Compress: true}
	address := func(host string, a netip.Addr) {
		m.Answer = append(m.Answer, &dns.A{Hdr: header(label(host)+".local.", dns.TypeA, cacheFlush), A: a.AsSlice()})
	}
	if len(services) == 0 || services[0].host == "" {
		address(d.host, d.addr)
	}
	for _, s := range services {
		host := d.host
		if s.host != "" {
			host = s.host
			address(s.host, s.addr)
		}
		kind := s.kind + ".local."
		name := label(s.name) + "." + kind
		txt := &dns.TXT{Hdr: header(name, dns.TypeTXT, cacheFlush), Txt: []string{""}}
		if len(s.txt) > 0 {
			txt.Txt = nil
			for _, t := range s.txt {
				txt.Txt = append(txt.Txt, escape(t))
			}
		}
		m.Answer = append(m.Answer,
			&dns.PTR{Hdr: header(kind, dns.TypePTR, 0), Ptr: name},
			&dns.SRV{Hdr: header(name, dns.TypeSRV, cacheFlush), Port: s.port, Target: label(host) + ".local."}, txt)
	}
	b, err := m.Pack()
	if err != nil {
		return nil, fmt.Errorf("packing an announcement: %w", err)
	}
	return b, nil
}

func header(name string, typ, flush uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: typ, Class: dns.ClassINET | flush, Ttl: 120}
}

// label is a text as one label of a name, which has 63 bytes at most.
func label(s string) string { return escape(s[:min(len(s), 63)]) }

// escape writes a text so that package dns takes it as it is (RFC 1035 section
// 5.1).
func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, `\%03d`, c)
	}
	return b.String()
}

// hostOf is how devices make a host name of a name.
func hostOf(name string) string { return strings.ReplaceAll(strings.ToLower(name), " ", "-") }

// upnp is the feed of ssdp.KindOn.
func (h *Home) upnp(ctx context.Context, receive func(netip.Addr, []byte)) {
	h.follow(ctx, 0, func(d *device) {
		for _, kind := range d.kinds {
			for _, location := range d.locations {
				receive(d.addr, fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=1800\r\nEXT:\r\nST: %[1]s\r\nUSN: uuid:%[2]s::%[1]s\r\nLOCATION: %[3]s\r\n\r\n",
					kind, macOf(d.addr).Value, location))
			}
		}
	})
}
