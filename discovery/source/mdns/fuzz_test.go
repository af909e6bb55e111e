package mdns

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/dnssd"
)

// FuzzReceive feeds the browser with any two datagrams and lets time pass. What
// it sends must be readable, what it keeps within bounds, and what it says must
// be about the sender.
func FuzzReceive(f *testing.F) {
	for _, p := range recorded(f, "testdata/matter.pcap") {
		f.Add(p.data, p.data[:len(p.data)/2])
	}
	sender := netip.MustParseAddrPort("10.0.0.5:5353")
	f.Fuzz(func(t *testing.T, one, two []byte) {
		now := time.Unix(1e9, 0)
		env := discovery.Env{
			Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now },
			Health: func(discovery.Status, string) {},
			Owners: func() map[netip.Addr]discovery.Identifier { return nil },
		}
		send := func(_ linkID, b []byte) {
			var m dns.Msg
			if err := m.Unpack(b); err != nil || len(b) > maxPacket {
				t.Errorf("sent %d bytes that cannot be read: %v", len(b), err)
			}
		}
		report := func(o discovery.Observation) {
			if len(o.About) != 1 || o.About[0] != discovery.IP(sender.Addr()) {
				t.Errorf("observation about %v", o.About)
			}
			if len(o.Services) > dnssd.MaxServices {
				t.Errorf("%d services", len(o.Services))
			}
			for _, n := range o.Facts.Entries() {
				if s, ok := n.Value.(string); ok && s != fact.Clean(s, fact.MaxText) {
					t.Errorf("%s = %q", n.Name, s)
				}
			}
		}
		b := newBrowser(env, send, func(target) {}, report)
		b.setLinks(links(home), now)
		for _, data := range [][]byte{one, two} {
			b.receive(packet{linkID{2, false}, sender, data}, now)
			for range 40 {
				if b.wake.IsZero() {
					break
				}
				if now.Before(b.wake) {
					now = b.wake
				}
				b.work(now)
			}
			if b.total.records > maxRecords || b.total.bytes > maxBytes {
				t.Errorf("kept %+v", b.total)
			}
		}
		b.setLinks(nil, now)
		if b.total != (amount{}) {
			t.Errorf("%+v is left after all hosts are gone", b.total)
		}
	})
}

// FuzzInstances reads an answer to a targeted query.
func FuzzInstances(f *testing.F) {
	for _, p := range recorded(f, "testdata/matter.pcap") {
		f.Add(p.data, "_matter._tcp.local.")
	}
	f.Fuzz(func(t *testing.T, b []byte, typ string) {
		for _, name := range instancesOf(b, typ) {
			if _, of, ok := dnssd.InstanceName(name); !ok || of != typ {
				t.Errorf("%q is no instance of %q", name, typ)
			}
		}
	})
}
