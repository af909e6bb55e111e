package demo

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/thingwarden/thingwarden/discovery"
)

// device is a simulated device on the LAN. It does not change once it is part of
// a home; what its servers answer may.
type device struct {
	addr netip.Addr
	host string // name by multicast DNS and DHCP; "" if it tells none
	tcp  map[uint16]func(net.Conn)
	udp  map[uint16]func([]byte) []byte // nil answers are none

	services  []service // by multicast DNS
	foreign   []service // of other devices, which it claims to know
	kinds     []string  // by SSDP: types of devices
	locations []string  // by SSDP: where it says that they describe themselves
}

// service is what a device announces by multicast DNS.
type service struct {
	name, kind string // "Hall Printer", "_ipp._tcp"
	port       uint16
	txt        []string
	host       string     // "" if the device itself
	addr       netip.Addr // of host
}

// macOf is the MAC address of the device at an address of the home. All are of
// the range for documentation (RFC 7042 section 2.1.2).
func macOf(a netip.Addr) discovery.Identifier {
	return discovery.Identifier{Kind: discovery.MACID, Value: fmt.Sprintf("00005e0053%02x", a.As4()[3])}
}

// idOf is the id that the agent gives to the device at an address of the home.
func idOf(a netip.Addr) discovery.ID { return discovery.ID("mac_" + macOf(a).Value) }

// present returns the devices that are there, by address, and a channel that is
// closed when that changes.
func (h *Home) present() ([]*device, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []*device
	for _, d := range h.devices {
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b *device) int { return cmp.Compare(a.addr.As4()[3], b.addr.As4()[3]) })
	return out, h.changed
}

// join brings a device into the home.
func (h *Home) join(d *device) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.devices[d.addr] = d
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *Home) device(a netip.Addr) *device {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.devices[a]
}

// Dial connects to a device of the home, in memory. Where no device is, nobody
// answers; a port at which none listens is refused. It is a prober.DialFunc.
func (h *Home) Dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	d := h.device(to.Addr())
	if d == nil {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	serve := d.tcp[to.Port()]
	if serve == nil || d.addr == cameraAt && to.Port() == telnetPort && !h.telnetOn() {
		return nil, refused("tcp", to)
	}
	return h.converse(serve), nil
}

// DialUDP is Dial for datagrams.
func (h *Home) DialUDP(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	d := h.device(to.Addr())
	if d == nil {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	answer := d.udp[to.Port()]
	if answer == nil && to.Port() == mdnsPort && len(d.services) > 0 {
		answer = d.answerMDNS
	}
	if answer == nil {
		return nil, refused("udp", to)
	}
	return h.converse(func(c net.Conn) {
		b := make([]byte, 1500)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			if reply := answer(b[:n]); reply != nil {
				_, _ = c.Write(reply) // whoever asked may be gone
			}
		}
	}), nil
}

const mdnsPort = 5353

// answerMDNS answers a question that comes from an ephemeral port by unicast, with
// all that it announces (RFC 6762 section 6.7).
func (d *device) answerMDNS(question []byte) []byte {
	b, err := d.announcement(d.services)
	if err != nil || len(question) < 2 {
		return nil
	}
	copy(b, question[:2])
	return b
}

func refused(network string, to netip.AddrPort) error {
	return &net.OpError{Op: "dial", Net: network, Addr: net.TCPAddrFromAddrPort(to), Err: syscall.ECONNREFUSED}
}

// converse has serve talk on one end of a connection and returns the other.
func (h *Home) converse(serve func(net.Conn)) net.Conn {
	ours, theirs := net.Pipe()
	stop := context.AfterFunc(h.ctx, func() { _ = theirs.Close() })
	h.talks.Go(func() {
		defer stop()
		defer theirs.Close() //nolint:errcheck // in memory
		serve(theirs)
	})
	return ours
}
