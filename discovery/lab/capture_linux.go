package lab

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// Capture records the frames that pass a host's first interface, both ways.
type Capture struct {
	conn *packet.Conn
	own  net.HardwareAddr
	mu   sync.Mutex
	all  []Frame
}

// Frame is an Ethernet frame, taken apart as far as tests need it.
type Frame struct {
	At       time.Time
	Src, Dst net.HardwareAddr
	Type     uint16 // EtherType: unix.ETH_P_IP, ETH_P_ARP …
	Payload  []byte // of the frame
	// Of IPv4 and IPv6 without extension headers; else zero.
	From, To netip.Addr
	Proto    byte // unix.IPPROTO_TCP …
	Segment  []byte
}

// Port returns the destination port of a TCP or UDP packet, else 0.
func (f Frame) Port() int {
	if (f.Proto != unix.IPPROTO_TCP && f.Proto != unix.IPPROTO_UDP) || len(f.Segment) < 4 {
		return 0
	}
	return int(binary.BigEndian.Uint16(f.Segment[2:]))
}

// SYN reports whether the packet opens a TCP connection.
func (f Frame) SYN() bool {
	const syn, ack = 0x02, 0x10
	return f.Proto == unix.IPPROTO_TCP && len(f.Segment) >= 14 && f.Segment[13]&(syn|ack) == syn
}

// Capture starts to record what passes the host's first interface, until the
// test ends.
func (h *Host) Capture(t testing.TB) *Capture {
	t.Helper()
	c := &Capture{own: h.MAC()}
	var err error
	h.Do(func() {
		var link *net.Interface
		if link, err = net.InterfaceByName(h.main.segment.Name); err == nil {
			c.conn, err = packet.Listen(link, packet.Raw, unix.ETH_P_ALL, nil)
		}
	})
	if err != nil {
		t.Fatalf("capture on host %q: %v", h.Name, err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); c.read() }()
	t.Cleanup(func() { _ = c.conn.Close(); <-ended })
	return c
}

func (c *Capture) read() {
	buf := make([]byte, 65536)
	for {
		n, _, err := c.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		if f, ok := parseFrame(slices.Clone(buf[:n])); ok {
			c.mu.Lock()
			c.all = append(c.all, f)
			c.mu.Unlock()
		}
	}
}

func parseFrame(b []byte) (Frame, bool) {
	if len(b) < 14 {
		return Frame{}, false
	}
	f := Frame{At: time.Now(), Dst: b[0:6], Src: b[6:12], Type: binary.BigEndian.Uint16(b[12:]), Payload: b[14:]}
	ip := f.Payload
	switch {
	case f.Type == unix.ETH_P_IP && len(ip) >= 20 && len(ip) >= int(ip[0]&15)*4:
		f.From, f.To, f.Proto = netip.AddrFrom4([4]byte(ip[12:16])), netip.AddrFrom4([4]byte(ip[16:20])), ip[9]
		f.Segment = ip[int(ip[0]&15)*4:]
	case f.Type == unix.ETH_P_IPV6 && len(ip) >= 40:
		f.From, f.To, f.Proto = netip.AddrFrom16([16]byte(ip[8:24])), netip.AddrFrom16([16]byte(ip[24:40])), ip[6]
		f.Segment = ip[40:]
	}
	return f, true
}

// Frames returns what was recorded so far and fits, in order.
func (c *Capture) Frames(fits func(Frame) bool) []Frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Frame
	for _, f := range c.all {
		if fits(f) {
			out = append(out, f)
		}
	}
	return out
}

// Received counts what the host got so far, multicast and broadcast included.
func (c *Capture) Received() int {
	return len(c.Frames(func(f Frame) bool { return !slices.Equal(f.Src, c.own) }))
}

// Connections counts the TCP connections that others tried to open to the host
// so far; a repeated try counts again.
func (c *Capture) Connections() int {
	return len(c.Frames(func(f Frame) bool { return f.SYN() && !slices.Equal(f.Src, c.own) }))
}
