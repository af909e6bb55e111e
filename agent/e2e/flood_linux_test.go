package e2e

import (
	be "encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/miekg/dns"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

// mostFlooded is how many MiB the program may ever have resident while a hostile
// host does what it can.
const mostFlooded = 64.0

// TestFlood has one host send new names, services, addresses and endless bodies
// as fast as it can, and garbage come over the broker. The program's memory stays
// bounded, and five ordinary devices are judged all the same.
func TestFlood(t *testing.T) {
	l := lab.New(t)
	m := startBroker(t, l)
	o := look(t, m)
	var ordinary []*lab.Host
	for i := range 5 {
		h := l.Host(fmt.Sprintf("ordinary%d", i))
		h.Telnetd(t, 23)
		ordinary = append(ordinary, h)
	}
	f := newFlood(t, l.Host("hostile"), o)
	a := startAgent(t, l.Hub(), brokerConfig(m))
	judged := 0
	poll(time.Minute, func() bool {
		judged = 0
		for _, h := range ordinary {
			if state, _ := o.finding(macID(h), "telnet-open"); state == "ON" {
				judged++
			}
		}
		return judged == len(ordinary)
	})
	if judged != len(ordinary) {
		t.Errorf("%d of %d ordinary devices are judged", judged, len(ordinary))
	}
	f.waitFor(t, 15*time.Second)
	if !a.Running() {
		t.Fatal("the program has ended")
	}
	u := used(t, a.Proc)
	t.Logf("%d datagrams and messages; %.1f MiB resident, at most %.1f MiB", f.end(), u.resident, u.peak)
	if u.peak > mostFlooded {
		t.Errorf("at most %.1f MiB were resident, want at most %.0f", u.peak, mostFlooded)
	}
}

// flood is what a hostile host sends.
type flood struct {
	began time.Time
	stop  chan struct{}
	sent  chan int
	kinds int
}

// newFlood starts everything that a hostile host can do at once.
func newFlood(t testing.TB, h *lab.Host, o *onlooker) *flood {
	t.Helper()
	f := &flood{began: time.Now(), stop: make(chan struct{}), sent: make(chan int)}
	endless := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		junk := []byte(strings.Repeat("<title>x</title>", 4096))
		for r.Context().Err() == nil {
			if _, err := w.Write(junk); err != nil {
				return
			}
		}
	})
	ln := h.Listen("tcp4", ":80")
	go func() { _ = http.Serve(ln, endless) }() //nolint:gosec // a hostile device, until its listener is closed

	own := h.IP()
	bonjour := h.ListenPacket("udp4", own.String()+":5353")
	f.send(20, func() { send(bonjour, "224.0.0.251:5353", hostileAnswer(own)) })
	upnp := h.ListenPacket("udp4", own.String()+":0")
	f.send(10, func() { send(upnp, "239.255.255.250:1900", hostileNotify(own)) })
	booting := h.ListenPacket("udp4", ":68")
	f.send(5, func() { send(booting, "255.255.255.255:67", hostileDHCP(t)) })
	var raw *packet.Conn
	var err error
	h.Do(func() {
		var link *net.Interface
		if link, err = net.InterfaceByName(lab.LAN0.Name); err == nil {
			raw, err = packet.Listen(link, packet.Raw, unix.ETH_P_ARP, nil)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	broadcast := &packet.Addr{HardwareAddr: net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}
	f.send(10, func() { _, _ = raw.WriteTo(hostileARP(), broadcast) })
	f.send(1, func() {
		o.client.Publish(fmt.Sprintf("fake%d/bridge/info", rand.IntN(1<<20)), 0, false, `{"version":"2.1.0","permit_join":false}`)
		o.client.Publish("zigbee2mqtt/bridge/devices", 0, false, strings.Repeat(`[{"a":`, 1<<14))
	})
	t.Cleanup(func() { f.end() })
	return f
}

// send sends so many of a kind every 5 ms until the end.
func (f *flood) send(each int, one func()) {
	f.kinds++
	go func() {
		n := 0
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-f.stop:
				f.sent <- n
				return
			case <-tick.C:
			}
			for range each {
				one()
				n++
			}
		}
	}()
}

// waitFor lets the flood go on until it has lasted so long.
func (f *flood) waitFor(t testing.TB, d time.Duration) {
	t.Helper()
	lab.WaitFor(t, d+time.Minute, "the flood to last long enough", func() bool { return time.Since(f.began) > d })
}

// end ends the flood and returns how much was sent.
func (f *flood) end() (n int) {
	if f.kinds == 0 {
		return 0
	}
	close(f.stop)
	for ; f.kinds > 0; f.kinds-- {
		n += <-f.sent
	}
	return n
}

func send(c net.PacketConn, to string, b []byte) {
	_, _ = c.WriteTo(b, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to)))
}

// hostileAnswer announces a service with a new name, long texts and a stranger's
// address (RFC 6762 section 8.3).
func hostileAnswer(own netip.Addr) []byte {
	name := fmt.Sprintf("x%d._x%d._tcp.local.", rand.Uint32(), rand.IntN(5000))
	host := fmt.Sprintf("h%d.local.", rand.Uint32())
	m := new(dns.Msg)
	m.Response, m.Authoritative = true, true
	head := func(name string, kind uint16) dns.RR_Header {
		return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: 4500}
	}
	_, kind, _ := strings.Cut(name, ".")
	m.Answer = []dns.RR{
		&dns.PTR{Hdr: head(kind, dns.TypePTR), Ptr: name},
		&dns.SRV{Hdr: head(name, dns.TypeSRV), Port: 80, Target: host},
		&dns.TXT{Hdr: head(name, dns.TypeTXT), Txt: []string{strings.Repeat("a", 250), strings.Repeat("b", 250), strings.Repeat("c", 250)}},
		&dns.A{Hdr: head(host, dns.TypeA), A: own.AsSlice()},
		&dns.A{Hdr: head(host, dns.TypeA), A: anyAddr().AsSlice()},
	}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

// hostileNotify announces a new UPnP device (UPnP Device Architecture 2.0, 1.2.2).
func hostileNotify(own netip.Addr) []byte {
	return fmt.Appendf(nil, "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nCACHE-CONTROL: max-age=86400\r\nLOCATION: http://%s/%d.xml\r\n"+
		"NT: upnp:rootdevice\r\nNTS: ssdp:alive\r\nSERVER: %s\r\nUSN: uuid:%08x-0000-0000-0000-000000000000::upnp:rootdevice\r\n\r\n",
		own, rand.Uint32(), strings.Repeat("z", 900), rand.Uint32())
}

func hostileDHCP(t testing.TB) []byte {
	m, err := dhcpv4.NewDiscovery(anyMAC(), dhcpv4.WithOption(dhcpv4.OptHostName(strings.Repeat("n", 200))))
	if err != nil {
		t.Error(err)
		return nil
	}
	return m.ToBytes()
}

// hostileARP is a gratuitous request (RFC 826) of somebody who is not there.
func hostileARP() []byte {
	mac, ip := anyMAC(), anyAddr().As4()
	b := append(net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, mac...)
	b = be.BigEndian.AppendUint16(b, unix.ETH_P_ARP)
	b = append(b, 0, 1, 8, 0, 6, 4, 0, 1)
	b = append(append(b, mac...), ip[:]...)
	return append(append(b, 0, 0, 0, 0, 0, 0), ip[:]...)
}

// anyMAC is one that looks like a manufacturer's.
func anyMAC() net.HardwareAddr {
	return be.BigEndian.AppendUint32(net.HardwareAddr{0x00, 0x0c}, rand.Uint32())
}

// anyAddr is an address of the lab that no ordinary host has.
func anyAddr() netip.Addr { return netip.AddrFrom4([4]byte{10, 99, 0, byte(100 + rand.IntN(150))}) }
