package mdns

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/thingwarden/thingwarden/discovery"
)

const (
	port = 5353
	// maxPacket is the largest multicast DNS message (RFC 6762 section 17).
	maxPacket = 9000
	// maxReadErrors in a row close a socket; watch opens it again.
	maxReadErrors = 10
)

var (
	group4 = netip.MustParseAddr("224.0.0.251")
	group6 = netip.MustParseAddr("ff02::fb")
)

// sockets holds one socket a link. One a link, not one a family, because Windows
// does not reveal on which interface a datagram came in.
type sockets struct {
	env      discovery.Env
	in       chan<- packet
	received atomic.Int64          // datagrams so far
	limit    atomic.Pointer[limit] // nil if no query is out
	done     chan struct{}
	readers  sync.WaitGroup

	mu   sync.Mutex
	open map[linkID]*socket
	bad  map[linkID]string // the last error, so that it is logged once
}

// limit calls stop when so many datagrams have come in.
type limit struct {
	at   int64
	stop func()
}

type socket struct {
	info  linkInfo
	conn  net.PacketConn
	group *net.UDPAddr
	// read returns the interface's index and the destination, 0 and nil where
	// the system does not reveal them.
	read func([]byte) (n, index int, dst net.IP, src net.Addr, err error)
}

func newSockets(in chan<- packet, env discovery.Env) *sockets {
	return &sockets{env: env, in: in, done: make(chan struct{}), open: map[linkID]*socket{}, bad: map[linkID]string{}}
}

// sync opens and closes sockets so that they match the links, and returns the
// links on which a socket is open.
func (s *sockets) sync(want map[linkID]linkInfo) map[linkID]linkInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, k := range s.open {
		if w, ok := want[id]; !ok || w.iface != k.info.iface {
			s.env.Log.Info("multicast DNS stops on interface", "interface", k.info.iface, "ipv6", id.v6)
			_ = k.conn.Close()
			delete(s.open, id)
		}
	}
	out := map[linkID]linkInfo{}
	for id, w := range want {
		if s.open[id] == nil {
			k, err := openSocket(w)
			if err != nil {
				s.failed(w, err)
				continue
			}
			delete(s.bad, id)
			s.env.Log.Info("multicast DNS listens on interface", "interface", w.iface, "ipv6", id.v6)
			s.open[id] = k
			s.readers.Go(func() { s.receive(k) })
		}
		out[id] = w
	}
	return out
}

func (s *sockets) failed(w linkInfo, err error) {
	if s.bad[w.linkID] != err.Error() {
		s.bad[w.linkID] = err.Error()
		s.env.Log.Warn("multicast DNS cannot listen on interface", "interface", w.iface, "ipv6", w.v6, "error", err)
	}
}

func (s *sockets) close() {
	s.mu.Lock()
	close(s.done)
	for _, k := range s.open {
		_ = k.conn.Close()
	}
	s.mu.Unlock()
	s.readers.Wait()
}

// send multicasts a message on a link. A link without a route (an interface that
// has lost its address) is no failure: watch will notice.
func (s *sockets) send(id linkID, msg []byte) {
	s.mu.Lock()
	k := s.open[id]
	s.mu.Unlock()
	if k == nil {
		return
	}
	if _, err := k.conn.WriteTo(msg, k.group); err != nil {
		s.env.Log.Debug("multicast DNS query was not sent", "interface", k.info.iface, "ipv6", id.v6, "error", err)
		return
	}
	s.env.Sent(netip.Addr{}, 1, 0)
}

func (s *sockets) receive(k *socket) {
	defer s.forget(k)
	// Larger than any message that counts: Windows fails on what does not fit.
	buf := make([]byte, 1<<16)
	for failures := 0; failures < maxReadErrors; {
		n, index, dst, src, err := k.read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			failures++
			continue
		}
		failures = 0
		if n, l := s.received.Add(1), s.limit.Load(); l != nil && n >= l.at {
			l.stop()
		}
		from, ok := src.(*net.UDPAddr)
		// Unicast to port 5353 can come from beyond the link (RFC 6762 section
		// 11), and we never request unicast answers.
		if !ok || n > maxPacket || index != 0 && index != k.info.index || dst != nil && !dst.Equal(k.group.IP) {
			continue
		}
		addr := from.AddrPort()
		p := packet{k.info.linkID, netip.AddrPortFrom(addr.Addr().Unmap().WithZone(""), addr.Port()), bytes.Clone(buf[:n])}
		select {
		case s.in <- p:
		case <-s.done:
			return
		}
	}
}

func (s *sockets) forget(k *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = k.conn.Close()
	if s.open[k.info.linkID] == k {
		delete(s.open, k.info.linkID)
	}
}

func openSocket(l linkInfo) (*socket, error) {
	ifi, err := net.InterfaceByIndex(l.index)
	if err != nil {
		return nil, fmt.Errorf("find interface %q: %w", l.iface, err)
	}
	k := &socket{info: l, group: &net.UDPAddr{IP: group4.AsSlice(), Port: port}}
	join := k.join4
	if l.v6 {
		k.group, join = &net.UDPAddr{IP: group6.AsSlice(), Port: port, Zone: ifi.Name}, k.join6
	}
	// For a multicast address Go binds the wildcard and lets others share the port.
	if k.conn, err = net.ListenPacket("udp", k.group.String()); err != nil {
		return nil, fmt.Errorf("open multicast DNS socket: %w", err)
	}
	if err := join(ifi); err != nil {
		_ = k.conn.Close()
		return nil, fmt.Errorf("join %v on interface %q: %w", k.group.IP, l.iface, err)
	}
	return k, nil
}

func (k *socket) join4(ifi *net.Interface) error {
	p := ipv4.NewPacketConn(k.conn)
	k.read = func(b []byte) (int, int, net.IP, net.Addr, error) {
		n, cm, src, err := p.ReadFrom(b)
		if cm == nil {
			return n, 0, nil, src, err
		}
		return n, cm.IfIndex, cm.Dst, src, err
	}
	return errors.Join(p.JoinGroup(ifi, k.group), p.SetMulticastInterface(ifi), p.SetMulticastTTL(255),
		p.SetMulticastLoopback(true), // the hub's own services answer too
		unlessWindows(p.SetControlMessage(ipv4.FlagInterface|ipv4.FlagDst, true)))
}

func (k *socket) join6(ifi *net.Interface) error {
	p := ipv6.NewPacketConn(k.conn)
	k.read = func(b []byte) (int, int, net.IP, net.Addr, error) {
		n, cm, src, err := p.ReadFrom(b)
		if cm == nil {
			return n, 0, nil, src, err
		}
		return n, cm.IfIndex, cm.Dst, src, err
	}
	return errors.Join(p.JoinGroup(ifi, k.group), p.SetMulticastInterface(ifi), p.SetMulticastHopLimit(255),
		p.SetMulticastLoopback(true),
		unlessWindows(p.SetControlMessage(ipv6.FlagInterface|ipv6.FlagDst, true)))
}

// unlessWindows drops the error of a system on which a datagram's interface and
// destination are not available.
func unlessWindows(err error) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	return err
}
