package e2e

import (
	be "encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
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

// TestFlood has one host send new names, services, addresses and endless bodies as
// fast as it can, in the name of thousands of senders, by IPv4 and IPv6, twice; and
// garbage comes over the broker. The program has 64 MiB: it lives, and five ordinary
// devices are judged all the same.
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
	f.start()
	a := startAgentWithin(t, l.Hub(), brokerConfig(m), int(mostFlooded)<<20)
	judged := 0
	poll(2*time.Minute, func() bool {
		judged = 0
		for _, h := range ordinary {
			if state, _ := o.finding(macID(h), "telnet-open"); state == "ON" {
				judged++
			}
		}
		return judged == len(ordinary)
	})
	t.Logf("%d of %d ordinary devices are judged %v after the start; the program used %v", judged, len(ordinary), time.Since(f.began).Round(time.Second), used(t, a.Proc).cpu)
	if judged != len(ordinary) {
		t.Errorf("%d of %d ordinary devices are judged", judged, len(ordinary))
	}
	f.waitFor(t, 15*time.Second)
	n := f.end()
	first := used(t, a.Proc)
	f.start()
	f.waitFor(t, 15*time.Second)
	n += f.end()
	if !a.Running() {
		t.Fatal("the program has ended")
	}
	u := used(t, a.Proc)
	t.Logf("%d datagrams and messages; %.1f MiB resident after the first round, %.1f after the second, at most %.1f", n, first.resident, u.resident, u.peak)
	if u.peak > mostFlooded {
		t.Errorf("at most %.1f MiB were resident, want at most %.0f", u.peak, mostFlooded)
	}
}

// mountGroups mounts the control groups of memory (cgroups(7)) in the lab's /sys,
// which shows none, and goes there.
const mountGroups = `
	if grep -q '^memory[[:space:]]*[1-9]' /proc/cgroups; then
		mount -t tmpfs none /sys/fs/cgroup && mkdir /sys/fs/cgroup/memory &&
		mount -t cgroup -o memory none /sys/fs/cgroup/memory && cd /sys/fs/cgroup/memory && file=memory.limit_in_bytes
	else
		mount -t cgroup2 none /sys/fs/cgroup && cd /sys/fs/cgroup && file=memory.max
	fi`

// startAgentWithin is startAgent with so many bytes of memory: those of a control
// group where this machine lets us make one, else as a limit of the runtime. As in a
// container, the pages of the program's file count too: the group reads its own copy.
func startAgentWithin(t testing.TB, hub *lab.Host, config string, limit int) *agent {
	t.Helper()
	a := &agent{t: t, hub: hub, dir: t.TempDir()}
	a.file = filepath.Join(t.TempDir(), "thingwarden.yaml")
	a.configure(config)
	group := fmt.Sprintf("thingwarden-test-%d", os.Getpid())
	t.Cleanup(func() {
		hub.Run(t, "/bin/sh", "-c", "("+mountGroups+` && rmdir "$0") 2>/dev/null || true`, group)
	})
	a.Proc = hub.Start(t, "/bin/sh", "-c", mountGroups+`
		mkdir "$0" && echo "$1" >"$0/$file" && echo $$ >"$0/cgroup.procs" || export GOMEMLIMIT=$(($1/2))
		cp "$2" "$3" && exec "$3" run --config "$4"`,
		group, fmt.Sprint(limit), binary(t), filepath.Join(t.TempDir(), "thingwarden"), a.file)
	lab.WaitFor(t, time.Minute, "the program to start", func() bool {
		name, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", a.Cmd.Process.Pid))
		return err == nil && filepath.Base(name) == "thingwarden"
	})
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", a.Cmd.Process.Pid))
	if err != nil || !strings.Contains(string(groups), group) {
		t.Logf("no control group can be made, GOMEMLIMIT stands for it: %v", err)
	}
	return a
}

// flood is what a hostile host sends.
type flood struct {
	began time.Time
	stop  chan struct{}
	sent  chan int
	kinds []kind
}

// kind sends so many of one thing every 5 ms.
type kind struct {
	each int
	one  func()
}

// newFlood makes everything ready that a hostile host can do at once.
func newFlood(t testing.TB, h *lab.Host, o *onlooker) *flood {
	t.Helper()
	f := &flood{sent: make(chan int)}
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

	var raw *packet.Conn
	var err error
	h.Do(func() {
		var link *net.Interface
		if link, err = net.InterfaceByName(lab.LAN0.Name); err == nil {
			raw, err = packet.Listen(link, packet.Raw, unix.ETH_P_ALL, nil)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	put := func(frame []byte) { _, _ = raw.WriteTo(frame, &packet.Addr{HardwareAddr: frame[:6]}) }
	own := h.IP()
	bonjour := h.ListenPacket("udp4", own.String()+":5353")
	f.send(10, func() { send(bonjour, "224.0.0.251:5353", hostileAnswer(own)) })
	upnp := h.ListenPacket("udp4", own.String()+":0")
	f.send(5, func() { send(upnp, "239.255.255.250:1900", hostileNotify(own)) })
	booting := h.ListenPacket("udp4", ":68")
	f.send(3, func() { send(booting, "255.255.255.255:67", hostileDHCP(t)) })
	// The same in the name of others.
	f.send(5, func() { from := anyAddr(); put(forged(from, "224.0.0.251:5353", 5353, hostileAnswer(from))) })
	f.send(5, func() { from := anyAddr6(); put(forged(from, "[ff02::fb]:5353", 5353, hostileAnswer(from))) })
	f.send(3, func() { from := anyAddr(); put(forged(from, "239.255.255.250:1900", 1900, hostileNotify(from))) })
	f.send(5, func() { put(hostileARP()) })
	f.send(5, func() { put(hostileNeighbour()) })
	f.send(1, func() {
		o.client.Publish(fmt.Sprintf("fake%d/bridge/info", rand.IntN(1<<20)), 0, false, `{"version":"2.1.0","permit_join":false}`)
		o.client.Publish("zigbee2mqtt/bridge/devices", 0, false, strings.Repeat(`[{"a":`, 1<<14))
	})
	t.Cleanup(func() { f.end() })
	return f
}

func (f *flood) send(each int, one func()) { f.kinds = append(f.kinds, kind{each, one}) }

// start sends until the end.
func (f *flood) start() {
	f.began, f.stop = time.Now(), make(chan struct{})
	for _, k := range f.kinds {
		go f.run(k, f.stop)
	}
}

func (f *flood) run(k kind, stop chan struct{}) {
	n := 0
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			f.sent <- n
			return
		case <-tick.C:
		}
		for range k.each {
			k.one()
			n++
		}
	}
}

// waitFor lets the flood go on until it has lasted so long.
func (f *flood) waitFor(t testing.TB, d time.Duration) {
	t.Helper()
	lab.WaitFor(t, d+time.Minute, "the flood to last long enough", func() bool { return time.Since(f.began) > d })
}

// end ends the flood, if it is on, and returns how much was sent.
func (f *flood) end() (n int) {
	if f.stop == nil {
		return 0
	}
	close(f.stop)
	f.stop = nil
	for range f.kinds {
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
		&dns.A{Hdr: head(host, dns.TypeA), A: anyAddr().AsSlice()},
	}
	if own.Is4() {
		m.Answer = append(m.Answer, &dns.A{Hdr: head(host, dns.TypeA), A: own.AsSlice()})
	} else {
		m.Answer = append(m.Answer, &dns.AAAA{Hdr: head(host, dns.TypeAAAA), AAAA: own.AsSlice()})
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

// anyAddr6 is a link-local address that no ordinary host has.
func anyAddr6() netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 8: 0x0e, 11: 0xff, 12: 0xfe, 13: byte(rand.IntN(256)), 14: byte(rand.IntN(256)), 15: byte(rand.IntN(256))})
}

// hostileNeighbour is an unsolicited advertisement (RFC 4861 section 4.4) of
// somebody who is not there.
func hostileNeighbour() []byte {
	from, mac := anyAddr6(), anyMAC()
	target := from.As16()
	b := append([]byte{136, 0, 0, 0, 0x20, 0, 0, 0}, target[:]...)
	b = append(append(b, 2, 1), mac...)
	return frame6(mac, from, netip.MustParseAddr("ff02::1"), 58, 255, b)
}

// forged is a frame with a datagram that seems to come from another host.
func forged(from netip.Addr, to string, port uint16, payload []byte) []byte {
	dst := netip.MustParseAddrPort(to)
	udp := be.BigEndian.AppendUint16(nil, port)
	udp = be.BigEndian.AppendUint16(udp, dst.Port())
	udp = be.BigEndian.AppendUint16(udp, uint16(8+len(payload)))
	udp = append(append(udp, 0, 0), payload...) // in IPv4 no checksum is needed
	if from.Is6() {
		return frame6(anyMAC(), from, dst.Addr(), 17, 255, udp)
	}
	src, group := from.As4(), dst.Addr().As4()
	ip := []byte{0x45, 0, 0, 0, 0, 0, 0x40, 0, 255, 17, 0, 0}
	be.BigEndian.PutUint16(ip[2:], uint16(20+len(udp)))
	ip = append(append(ip, src[:]...), group[:]...)
	be.BigEndian.PutUint16(ip[10:], checksum(ip))
	b := append([]byte{1, 0, 0x5e, group[1] & 0x7f, group[2], group[3]}, anyMAC()...)
	return append(append(be.BigEndian.AppendUint16(b, unix.ETH_P_IP), ip...), udp...)
}

// frame6 is an IPv6 multicast packet (RFC 8200) whose checksum stands where UDP and
// ICMPv6 have it.
func frame6(mac net.HardwareAddr, from, to netip.Addr, next, hops byte, payload []byte) []byte {
	src, dst := from.As16(), to.As16()
	at := map[byte]int{17: 6, 58: 2}[next]
	pseudo := append(append([]byte{}, src[:]...), dst[:]...)
	pseudo = be.BigEndian.AppendUint32(pseudo, uint32(len(payload)))
	pseudo = append(append(pseudo, 0, 0, 0, next), payload...)
	be.BigEndian.PutUint16(payload[at:], max(checksum(pseudo), 1))
	ip := be.BigEndian.AppendUint16([]byte{0x60, 0, 0, 0}, uint16(len(payload)))
	ip = append(append(append(ip, next, hops), src[:]...), dst[:]...)
	b := append([]byte{0x33, 0x33, dst[12], dst[13], dst[14], dst[15]}, mac...)
	return append(append(be.BigEndian.AppendUint16(b, unix.ETH_P_IPV6), ip...), payload...)
}

// checksum is that of RFC 1071.
func checksum(b []byte) uint16 {
	sum := uint32(0)
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(be.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
