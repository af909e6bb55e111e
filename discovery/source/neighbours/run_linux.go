package neighbours

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/thingwarden/thingwarden/discovery"
)

// Run follows the kernel's neighbour table, probes and listens, until ctx is done.
func (s *source) Run(ctx context.Context, report func(discovery.Observation)) error {
	if err := s.start(report); err != nil {
		return err
	}
	defer s.socks.close()
	l := &loop{source: s, listeners: newListeners(), bounced: map[int]bool{}}
	defer l.listeners.close()
	for {
		w, err := openTableWatch()
		if err != nil {
			return err
		}
		err = l.run(ctx, w)
		w.close()
		if ctx.Err() != nil {
			return nil
		}
		if !errors.Is(err, errWatchEnded) {
			return err
		}
		s.env.Log.Info("reading the neighbour table again", "why", err)
		s.table.doubt()
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil
		}
	}
}

// loop is one run of the source on Linux.
type loop struct {
	*source
	listeners *listeners
	bounced   map[int]bool // interfaces whose connection broke since the last look
	swept     time.Time
}

// errWatchEnded means that the kernel dropped changes because they came faster
// than they were read (ENOBUFS), so that the table must be read anew.
var errWatchEnded = errors.New("changes of the neighbour table were lost")

func (l *loop) run(ctx context.Context, w *tableWatch) error {
	if err := l.relook(); err != nil {
		return err
	}
	for _, n := range w.known {
		l.neighbour(n, false)
	}
	settle := time.NewTimer(time.Hour) // links change in bursts
	settle.Stop()
	tick := time.NewTicker(min(time.Second, l.timing.offlineAfter/10))
	defer tick.Stop()
	wake := time.NewTimer(time.Hour)
	defer wake.Stop()
	for {
		if wait := l.send(); wait > 0 {
			wake.Reset(wait)
		}
		select {
		case <-ctx.Done():
			return nil
		case u, ok := <-w.neigh:
			if !ok {
				return errWatchEnded
			}
			l.neighbour(u.Neigh, u.Type == unix.RTM_DELNEIGH)
		case u, ok := <-w.links:
			if !ok {
				return errWatchEnded
			}
			if u.Header.Type == unix.RTM_DELLINK || u.Attrs().RawFlags&unix.IFF_RUNNING == 0 {
				l.bounced[u.Attrs().Index] = true
			}
			settle.Reset(100 * time.Millisecond)
		case _, ok := <-w.addrs:
			if !ok {
				return errWatchEnded
			}
			settle.Reset(100 * time.Millisecond)
		case h := <-l.listeners.received:
			l.table.sight(h.ifindex, h.sighting, l.env.Now())
		case index := <-l.listeners.ended:
			l.listeners.drop(index)
			settle.Reset(time.Second)
		case <-settle.C:
			if err := l.relook(); err != nil {
				return err
			}
		case <-tick.C:
			l.tick()
		case <-wake.C:
		}
	}
}

func (l *loop) tick() {
	now := l.env.Now()
	l.table.tick(now)
	l.probes.forget(time.Now())
	l.crowd(now)
	l.proxies()
	every, gap := l.timing.sweepEvery, 40*time.Millisecond
	if l.listeners.active() {
		every *= 3 // new devices are heard
	}
	if time.Since(l.swept) >= every {
		l.swept = time.Now()
		l.sweep(l.table.networks, gap)
	}
}

// relook follows a change of links or addresses: what is new, or was cut off for
// a moment, is swept at once.
func (l *loop) relook() error {
	added, err := l.updateNetworks()
	if err != nil {
		return err
	}
	for _, w := range l.table.networks.Watched {
		if l.bounced[w.Index] {
			added.Watched = append(added.Watched, w)
		}
	}
	clear(l.bounced)
	l.problem("raw", rawProblem(l.listeners.follow(l.table.networks)))
	if len(added.Watched) > 0 {
		l.swept = time.Now()
		l.sweep(added, 0)
	}
	return nil
}

// neighbour takes in an entry of the kernel's table.
func (l *loop) neighbour(u netlink.Neigh, deleted bool) {
	addr, ok := netip.AddrFromSlice(u.IP)
	if !ok || u.Family != unix.AF_INET && u.Family != unix.AF_INET6 {
		return
	}
	addr, now := addr.Unmap(), l.env.Now()
	if deleted || u.State&unix.NUD_FAILED != 0 {
		l.probes.decided(l.table.place(addr, u.LinkIndex))
		l.table.unresolved(u.LinkIndex, addr)
		return
	}
	if len(u.HardwareAddr) != 6 {
		return // incomplete, or no Ethernet
	}
	mac := hwaddr(u.HardwareAddr)
	switch {
	case u.State&unix.NUD_REACHABLE != 0:
		l.probes.decided(l.table.place(addr, u.LinkIndex))
		l.table.resolved(u.LinkIndex, addr, mac, now)
	case u.State&(unix.NUD_STALE|unix.NUD_DELAY|unix.NUD_PROBE) != 0:
		const userHZ = 100 // unit of the kernel's times in netlink
		ago := time.Duration(u.Confirmed) * time.Second / userHZ
		l.table.remembered(u.LinkIndex, addr, mac, ago, now)
	}
}

// tableWatch is a subscription to the kernel's neighbours, links and addresses.
type tableWatch struct {
	done  chan struct{}
	neigh chan netlink.NeighUpdate
	links chan netlink.LinkUpdate
	addrs chan netlink.AddrUpdate
	known []netlink.Neigh // the table at the start
}

// openTableWatch subscribes first and then reads the table, so that nothing
// is missed between the two.
func openTableWatch() (*tableWatch, error) {
	const buffer = 256 << 10
	w := &tableWatch{
		done: make(chan struct{}), neigh: make(chan netlink.NeighUpdate, 256),
		links: make(chan netlink.LinkUpdate, 16), addrs: make(chan netlink.AddrUpdate, 16),
	}
	if err := errors.Join(
		orClose(w.links, netlink.LinkSubscribeWithOptions(w.links, w.done, netlink.LinkSubscribeOptions{})),
		orClose(w.addrs, netlink.AddrSubscribeWithOptions(w.addrs, w.done, netlink.AddrSubscribeOptions{})),
		orClose(w.neigh, netlink.NeighSubscribeWithOptions(w.neigh, w.done, netlink.NeighSubscribeOptions{ReceiveBufferSize: buffer})),
	); err != nil {
		w.close()
		return nil, fmt.Errorf("subscribe to the kernel's neighbour table: %w", err)
	}
	// Option ListExisting would send its request on the subscribed socket and so
	// to its group too, which only NET_ADMIN may do.
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		known, err := netlink.NeighList(0, family)
		if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
			w.close()
			return nil, fmt.Errorf("read the kernel's neighbour table: %w", err)
		}
		w.known = append(w.known, known...)
	}
	return w, nil
}

// orClose closes the channel of a subscription that failed, which no one else will.
func orClose[T any](ch chan T, err error) error {
	if err != nil {
		close(ch)
	}
	return err
}

// close ends the subscription and waits for its goroutines.
func (w *tableWatch) close() {
	close(w.done)
	for range w.neigh {
	}
	for range w.links {
	}
	for range w.addrs {
	}
}

func sendProblem(err error) string {
	if errors.Is(err, unix.EPERM) {
		return "The hub's own firewall blocks the probes to devices (UDP port 9), so only devices that talk to the hub are seen."
	}
	return ""
}
