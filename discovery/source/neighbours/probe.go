package neighbours

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/thingwarden/thingwarden/discovery"
)

const (
	// The limit of DESIGN section 9: addresses that the kernel is still resolving.
	// More would push other entries out of its neighbour table (gc_thresh2 is 512).
	maxOpen   = 256
	maxQueued = 4096
	// openFor is how long the kernel needs at most to give an address up: three
	// ARP requests a second apart.
	openFor = 4 * time.Second
	// probeGap is the least time between two probes of one address.
	probeGap = 2 * time.Second

	// discard is the port that throws everything away (RFC 863).
	discard = 9
)

// probeQueue decides when the kernel is made to resolve which address. It does no I/O.
type probeQueue struct {
	queue  []plannedProbe // by due time
	queued map[netip.Addr]bool
	open   map[netip.Addr]time.Time // probed and not decided, or just decided
	busy   map[netip.Addr]bool      // probed and not decided
}

type plannedProbe struct {
	addr netip.Addr
	due  time.Time
}

func newProbeQueue() *probeQueue {
	return &probeQueue{queued: map[netip.Addr]bool{}, open: map[netip.Addr]time.Time{}, busy: map[netip.Addr]bool{}}
}

// add plans a probe, unless one of the address is planned already. A full queue
// drops it, so that a flood of addresses costs no memory.
func (a *probeQueue) add(addr netip.Addr, due time.Time) {
	if a.queued[addr] || len(a.queue) >= maxQueued {
		return
	}
	if last, ok := a.open[addr]; ok && due.Before(last.Add(probeGap)) {
		due = last.Add(probeGap)
	}
	i, _ := slices.BinarySearchFunc(a.queue, due, func(q plannedProbe, due time.Time) int {
		if q.due.After(due) {
			return 1
		}
		return -1
	})
	a.queue = slices.Insert(a.queue, i, plannedProbe{addr, due})
	a.queued[addr] = true
}

// take returns the address to probe now. Without one it returns how long to wait;
// 0 if nothing is planned.
func (a *probeQueue) take(now time.Time) (addr netip.Addr, wait time.Duration) {
	if len(a.queue) == 0 {
		return netip.Addr{}, 0
	}
	if wait := a.queue[0].due.Sub(now); wait > 0 {
		return netip.Addr{}, wait
	}
	if len(a.busy) >= maxOpen {
		if a.forget(now); len(a.busy) >= maxOpen {
			return netip.Addr{}, 20 * time.Millisecond
		}
	}
	addr = a.queue[0].addr
	a.queue = a.queue[1:]
	delete(a.queued, addr)
	a.open[addr], a.busy[addr] = now, true
	return addr, 0
}

// decided notes that the kernel has resolved the address, or has given up.
func (a *probeQueue) decided(addr netip.Addr) { delete(a.busy, addr) }

// forget drops what is over.
func (a *probeQueue) forget(now time.Time) {
	for addr, at := range a.open {
		if now.Sub(at) >= openFor {
			delete(a.open, addr)
			delete(a.busy, addr)
		}
	}
}

// keep drops the planned probes of addresses for which ok is false.
func (a *probeQueue) keep(ok func(netip.Addr) bool) {
	a.queue = slices.DeleteFunc(a.queue, func(q plannedProbe) bool {
		if ok(q.addr) {
			return false
		}
		delete(a.queued, q.addr)
		return true
	})
}

// sweepable yields the IPv4 addresses of the networks that another host can
// have, each once.
func sweepable(n discovery.Networks) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		seen := map[netip.Prefix]bool{}
		for _, w := range n.Watched {
			p := w.Prefix.Masked()
			if !p.Addr().Is4() || seen[p] {
				continue
			}
			seen[p] = true
			network, broadcast := p.Addr(), lastOf(p)
			for a := network; p.Contains(a); a = a.Next() {
				if p.Bits() < 31 && (a == network || a == broadcast) || n.Own(a) {
					continue
				}
				if !yield(a) {
					return
				}
			}
		}
	}
}

// lastOf returns the last address of an IPv4 prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b)
}

// probeSocket sends the probes: one byte by UDP to the discard port, which needs
// no privilege and makes the kernel resolve the address.
type probeSocket struct{ four, six *net.UDPConn }

// openProbeSocket opens sockets in the network namespace of the calling thread.
// A hub without IPv6 has none for it.
func openProbeSocket() (*probeSocket, error) {
	four, err := net.ListenUDP("udp4", nil)
	if err != nil {
		return nil, fmt.Errorf("open socket for probes: %w", err)
	}
	// A packet with one hop to live stays within the home's own network.
	if err := ipv4.NewConn(four).SetTTL(1); err != nil {
		_ = four.Close()
		return nil, fmt.Errorf("limit probes to one hop: %w", err)
	}
	s := &probeSocket{four: four}
	_ = four.SetWriteBuffer(1 << 20) // the kernel holds them until resolved
	_ = four.SetReadBuffer(1)        // nothing is ever read
	if six, err := net.ListenUDP("udp6", nil); err == nil {
		if err := ipv6.NewConn(six).SetHopLimit(1); err != nil {
			_ = six.Close()
			return s, nil
		}
		_ = six.SetReadBuffer(1)
		s.six = six
	}
	return s, nil
}

func (s *probeSocket) close() {
	_ = s.four.Close()
	if s.six != nil {
		_ = s.six.Close()
	}
}

// send sends one probe.
func (s *probeSocket) send(addr netip.Addr) error {
	c := s.four
	if addr.Is6() {
		c = s.six
	}
	if c == nil {
		return errors.New("the hub has no IPv6")
	}
	if zone := addr.Zone(); zone != "" {
		// Package net remembers the number of an interface for a minute, which is
		// wrong once it was plugged out and in.
		i, err := net.InterfaceByName(zone)
		if err != nil {
			return err
		}
		addr = addr.WithZone(strconv.Itoa(i.Index))
	}
	_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	_, err := c.WriteToUDPAddrPort([]byte{0}, netip.AddrPortFrom(addr, discard))
	return err
}

// Resolve makes the kernel resolve an on-link address, by sending it one byte by
// UDP to the discard port; the answer comes as an observation of this source. The
// caller makes sure that the address is on link, counts the packet and keeps to a
// pace. The datagram cannot leave the local network. Addresses
// outside the ranges for home networks, but for global IPv6 ones, are refused.
func Resolve(ctx context.Context, addr netip.Addr) error {
	addr = addr.Unmap()
	if !probeable(addr) {
		return fmt.Errorf("resolve %q: not the address of a device at home", addr)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s, err := openProbeSocket()
	if err != nil {
		return fmt.Errorf("resolve %q: %w", addr, err)
	}
	defer s.close()
	if err := s.send(addr); err != nil {
		return fmt.Errorf("resolve %q: %w", addr, err)
	}
	return nil
}

// probeable reports whether the address may be probed at all (threat T22).
func probeable(a netip.Addr) bool {
	if a.IsLinkLocalUnicast() {
		return a.Is4() || a.Zone() != ""
	}
	return a.IsPrivate() || a.Is6() && a.IsGlobalUnicast()
}
