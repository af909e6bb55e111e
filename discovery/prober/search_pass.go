package prober

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// searchPass is one pass of a search.
type searchPass struct {
	prober *Prober
	search *Search
	conn   net.PacketConn
	from   map[netip.Addr]*searched // by sender
	bytes  int
	full   bool
}

// searched is what one device has answered in a pass.
type searched struct {
	datagrams int
	told      *discovery.Observation // nil for nothing that could be read
}

// send sends all datagrams on all networks, through the pace of the house. What
// cannot be sent by a certain time is not.
func (w *searchPass) send(ctx context.Context, networks []discovery.Network, until time.Time) error {
	limited, cancel := ctx, func() {}
	if w.search.ListenPort != 0 {
		limited, cancel = context.WithDeadline(ctx, until)
	}
	defer cancel()
	var failed error
	for _, n := range networks {
		for _, d := range w.search.Send {
			if err := w.prober.house.wait(limited); err != nil {
				return fmt.Errorf("not sent on %s in time: %w", n.Interface, err)
			}
			if err := w.one(n, d); err != nil && failed == nil {
				failed = fmt.Errorf("send on %s: %w", n.Interface, err)
			}
		}
	}
	return failed
}

// one sends a datagram to everyone on a network, and to no single device.
func (w *searchPass) one(n discovery.Network, d Datagram) error {
	to := d.Group
	switch {
	case neverPort(d.Port):
		return fmt.Errorf("port %d: %w", d.Port, ErrForbidden)
	case !to.IsValid():
		to = broadcast(n.Prefix)
	case !to.Is4() || !to.IsMulticast():
		return fmt.Errorf("address %q is no multicast group: %w", to, ErrForbidden)
	default:
		if err := w.join(n, d); err != nil {
			return err
		}
	}
	w.prober.opt.Sent(netip.Addr{}, 1, 0)
	w.prober.opt.Log.Debug("searching", "search", w.search.Name, "interface", n.Interface, "to", to, "port", d.Port)
	_, err := w.conn.WriteTo(d.Payload, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, d.Port)))
	return err
}

// join has what is sent to a group go out on a network, and answers to the group
// come in where it listens on that port.
func (w *searchPass) join(n discovery.Network, d Datagram) error {
	s, ok := w.conn.(*udpSocket)
	if !ok {
		return nil // in memory
	}
	group := &net.UDPAddr{IP: d.Group.AsSlice()}
	ifi, pc := &net.Interface{Index: n.Index, Name: n.Interface}, ipv4.NewPacketConn(s.UDPConn)
	if err := pc.SetMulticastInterface(ifi); err != nil {
		return fmt.Errorf("set the interface for %s: %w", d.Group, err)
	}
	if d.Port != w.search.ListenPort {
		return nil
	}
	if err := pc.JoinGroup(ifi, group); err != nil && !isInUse(err) {
		return fmt.Errorf("join %s: %w", d.Group, err)
	}
	return nil
}

// hear takes in answers until the socket's deadline.
func (w *searchPass) hear() error {
	b := make([]byte, maxDatagram+1)
	for {
		n, from, err := w.conn.ReadFrom(b)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if w.full {
				return errLimit
			}
			return nil
		case errors.Is(err, ErrPortInUse), errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			continue // an ICMP error that came for something sent before
		}
		if u, ok := from.(*net.UDPAddr); ok && n <= maxDatagram {
			w.take(u.AddrPort(), b[:n])
		}
	}
}

// take takes in one datagram, if it comes from a device of the home and neither its
// share nor that of all is used up (threats T12 and T14).
func (w *searchPass) take(from netip.AddrPort, b []byte) {
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	networks := w.prober.opt.Networks()
	if _, onLink := networks.OnLink(from.Addr()); !onLink || networks.Own(from.Addr()) {
		return
	}
	x := w.from[from.Addr()]
	if x == nil {
		if len(w.from) == maxSenders {
			w.full = true
			return
		}
		x = &searched{}
		w.from[from.Addr()] = x
	}
	if x.datagrams == maxPerSender || w.bytes+len(b) > maxSearchBytes {
		return
	}
	x.datagrams++
	w.bytes += len(b)
	o, err := w.read(from, b)
	if err != nil {
		w.prober.opt.Log.Debug("no answer to a search", "search", w.search.Name, "from", from, "err", err)
		return
	}
	w.report(from.Addr(), x, o)
}

// read has the search read a datagram; a panic is an error.
func (w *searchPass) read(from netip.AddrPort, b []byte) (o discovery.Observation, err error) {
	defer func() {
		if r := recover(); r != nil {
			w.prober.opt.Log.Error("search panicked", "search", w.search.Name, "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return w.search.Read(from, slices.Clone(b))
}

// report reports what a device has answered so far in this pass.
func (w *searchPass) report(from netip.Addr, x *searched, o discovery.Observation) {
	now := w.prober.opt.Now()
	if x.told == nil {
		x.told = &discovery.Observation{By: w.search.Name, About: []discovery.Identifier{discovery.IP(from)}, Facts: fact.New(w.search.Name, now)}
	}
	t := x.told
	t.At = now
	if o.Name != "" {
		t.Name = o.Name
	}
	if o.Services != nil {
		t.Services = append(slices.Clone(t.Services), o.Services...)
		slices.SortFunc(t.Services, discovery.CompareServices)
		t.Services = slices.Compact(t.Services)
	}
	if o.Facts != nil {
		for _, e := range o.Facts.Entries() {
			e.By, e.At, e.Likely = w.search.Name, now, true
			t.Facts.Put(e)
		}
	}
	out := *t
	out.Facts = t.Facts.Clone()
	w.prober.opt.Report(out)
}

// forget withdraws what was said of devices that have stopped to answer.
func (w *searchPass) forget(st *searching) {
	for addr, x := range w.from {
		if x.told != nil && (st.missed[addr] > 0 || len(st.missed) < maxSenders) {
			st.missed[addr] = 0
		}
	}
	for addr := range st.missed {
		if x := w.from[addr]; x != nil && x.told != nil {
			continue
		}
		if st.missed[addr]++; st.missed[addr] == maxMissedSearches {
			delete(st.missed, addr)
			w.prober.opt.Report(discovery.Observation{By: w.search.Name, At: w.prober.opt.Now(), About: []discovery.Identifier{discovery.IP(addr)}, Gone: true, Quiet: true})
		}
	}
}
