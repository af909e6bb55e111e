package prober

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// The limits of a pass over one device (DESIGN section 9).
const (
	connectTimeout = 3 * time.Second        // until the device's first answer or refusal
	minTimeout     = 300 * time.Millisecond // afterwards, or
	roundTrips     = 8                      // times its round trip, if that is longer
	totalTimeout   = 5 * time.Second        // of a connection
	bannerTimeout  = 3 * time.Second
	maxSilent      = 5 // silent ports, after which the rest waits for the next pass
	// maxSilentElsewhere is maxSilent for a further address that has never answered.
	maxSilentElsewhere = 2
	maxPorts           = 40        // ports asked in a pass
	maxBanner          = 512       // bytes
	maxBody            = 64 << 10  // bytes
	maxHeader          = 16 << 10  // bytes
	maxRead            = 512 << 10 // bytes of one connection, whatever a probe does with them
)

// Target is one device for one pass of the probes. It opens connections to this
// device and to nothing else, one at a time, paced and counted, and remembers
// answers, so that all probes of a pass share them. A Target is for one goroutine
// at a time and not to be kept after Run has returned.
type Target struct {
	device   discovery.Device
	addr     netip.Addr
	dial     DialFunc
	dialUDP  DialFunc
	networks func() discovery.Networks
	pace     *pace // the device's
	house    *pace
	now      func() time.Time
	sent     func(to netip.Addr, packets, connections int)
	log      *slog.Logger
	known    *fact.Evidence // grows as the pass goes on
	probes   []*Probe       // all there are

	probe string // that runs now
	touch Touch  // that it declared

	open        net.Conn
	ports       map[uint16]error // asked in this pass; nil if the port is open
	silent      int
	cut         bool // a port was not asked because of too many silent ones
	roundTrip   time.Duration
	answered    bool
	connections int
	*share      // of the limits for the device
	sibling     func(netip.Addr) (*Target, error)
	secondary   bool // there is another address that is asked first

	responses  map[question]answer
	banners    map[uint16][]byte
	handshakes map[uint16]handshake
}

// share is what all addresses of a device have together in a pass.
type share struct {
	tried     int // ports
	datagrams int
}

type handshake struct {
	state *tls.ConnectionState
	err   error
}

type question struct {
	tls  bool
	port uint16
	path string
}

type answer struct {
	response *Response
	err      error
}

// init makes the memory of a Target. Ports that were silent when the last pass
// had to stop are silent still, so that this pass comes to the others.
func (t *Target) init(silent []uint16) *Target {
	t.ports = map[uint16]error{}
	for _, p := range silent {
		t.ports[p] = ErrNoAnswer
	}
	if t.share == nil {
		t.share = &share{}
	}
	t.tried += len(silent)
	t.responses = map[question]answer{}
	t.banners = map[uint16][]byte{}
	t.handshakes = map[uint16]handshake{}
	return t
}

// Device returns what is known of the device's identity.
func (t *Target) Device() discovery.Device { return t.device }

// Addr returns the device's address at which it is asked in this pass.
func (t *Target) Addr() netip.Addr { return t.addr }

// Now returns the time, from the agent's clock.
func (t *Target) Now() time.Time { return t.now() }

// Evidence returns new evidence in the name of the probe that runs.
func (t *Target) Evidence() *fact.Evidence { return fact.New(t.probe, t.now()) }

// Known returns a copy of what was known of the device when the probe began.
func (t *Target) Known() *fact.Evidence {
	if t.known == nil {
		return fact.New(t.probe, t.now())
	}
	return t.known.Clone()
}

// Networks returns the networks that are looked at, as they are now.
func (t *Target) Networks() discovery.Networks { return t.networks() }

// About returns what a probe's observations of this device are about: its
// strongest identifier, or nothing for the hub's own device.
func (t *Target) About() []discovery.Identifier {
	if t.device.ID == discovery.Hub {
		return nil
	}
	order := []discovery.IDKind{discovery.ZigbeeID, discovery.ZWaveID, discovery.PartID, discovery.MACID, discovery.MatterID, discovery.IPID, discovery.ClaimedIP}
	ids := slices.SortedStableFunc(slices.Values(t.device.IDs), func(a, b discovery.Identifier) int {
		// Of several of a kind, the one that gave the device its name.
		named := func(i discovery.Identifier) int {
			if i.ID() == t.device.ID {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(slices.Index(order, a.Kind), slices.Index(order, b.Kind)), cmp.Compare(named(a), named(b)))
	})
	return ids[:min(1, len(ids))]
}

// Dial opens a TCP connection to a port of the device, for a probe's own
// protocol. It waits for its turn (at most so many new connections a second),
// refuses a second connection while one is open, and asks no port again that was
// closed or silent in this pass. The connection must be closed; it ends by
// itself 5 seconds after it was opened, when ctx is done, and after 512 KiB.
// The error wraps ErrClosed, ErrNoAnswer, ErrTouch, ErrForbidden, ErrNotProbed or
// the context's.
func (t *Target) Dial(ctx context.Context, port uint16) (net.Conn, error) {
	conn, err := t.connect(ctx, port)
	if err != nil {
		return nil, fmt.Errorf("connect to tcp/%d: %w", port, err)
	}
	return conn, nil
}

func (t *Target) connect(ctx context.Context, port uint16) (net.Conn, error) {
	if err := t.mayConnect(port); err != nil {
		return nil, err
	}
	if err := t.pace.wait(ctx); err != nil {
		return nil, err
	}
	if err := t.house.wait(ctx); err != nil {
		return nil, err
	}
	dialing, cancel := context.WithTimeout(ctx, t.patience())
	defer cancel()
	t.connections++
	t.sent(t.addr, 0, 1)
	t.log.Debug("probing a device", "device", t.device.ID, "probe", t.probe, "port", port)
	start := time.Now()
	t.pace.late(start)
	conn, err := t.dial(dialing, netip.AddrPortFrom(t.addr, port))
	if ctx.Err() != nil {
		if err == nil {
			_ = conn.Close()
		}
		return nil, ctx.Err()
	}
	if err == nil && t.device.ID != discovery.Hub && isSelf(conn, t.addr) {
		_ = conn.Close()
		err = fmt.Errorf("address %q is the hub's own: %w", t.addr, ErrForbidden)
	}
	err = t.note(port, time.Since(start), err)
	if err != nil {
		return nil, err
	}
	return t.guarded(ctx, conn), nil
}

// patience is how long an answer of the device is waited for.
func (t *Target) patience() time.Duration {
	if !t.answered {
		return connectTimeout
	}
	return max(minTimeout, roundTrips*t.roundTrip)
}

// mayConnect says whether a port may be asked, and answers from memory where
// the device is not to be asked again.
func (t *Target) mayConnect(port uint16) error {
	if t.touch < Connect {
		return ErrTouch
	}
	if t.open != nil {
		return fmt.Errorf("probe %q has a connection open already: %w", t.probe, ErrNotProbed)
	}
	if err := guard(t.device, t.networks(), t.addr, port); err != nil {
		return err
	}
	err, tried := t.ports[port]
	switch {
	case err != nil:
		return err
	case t.silent >= maxSilent, t.secondary && !t.answered && t.silent >= maxSilentElsewhere:
		t.cut = !t.secondary || t.answered
		return fmt.Errorf("after %d silent ports: %w", t.silent, ErrNoAnswer)
	case !tried && t.tried >= maxPorts:
		return fmt.Errorf("after %d ports: %w", maxPorts, errTooMuch)
	}
	return nil
}

// note remembers how a port answered and returns the error as probes see it.
func (t *Target) note(port uint16, took time.Duration, err error) error {
	switch {
	case err == nil, isRefused(err):
		if !t.answered {
			t.answered, t.roundTrip = true, took
		}
		if err != nil {
			err = ErrClosed
		}
	case isSilence(err):
		err = ErrNoAnswer
		t.silent++
	case errors.Is(err, ErrForbidden):
	default:
		err = fmt.Errorf("%w: %w", ErrNotProbed, err)
	}
	if _, had := t.ports[port]; !had {
		t.tried++
	}
	t.ports[port] = err
	return err
}

// conn is a connection that frees its Target when it is closed.
type conn struct {
	net.Conn
	target *Target
	stop   func() bool
	left   int
}

func (t *Target) guarded(ctx context.Context, c net.Conn) net.Conn {
	_ = c.SetDeadline(time.Now().Add(totalTimeout))
	g := &conn{Conn: c, target: t, left: maxRead}
	// A past deadline rather than Close: the descriptor stays the probe's.
	g.stop = context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	t.open = g
	return g
}

// Read fails once more has come than any probe needs.
func (c *conn) Read(b []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("more than %d bytes: %w", maxRead, ErrUnreadable)
	}
	n, err := c.Conn.Read(b[:min(len(b), c.left)])
	c.left -= n
	return n, err
}

// Close closes the connection and lets the next one be opened.
func (c *conn) Close() error {
	c.stop()
	if c.target.open == c {
		c.target.open = nil
	}
	return c.Conn.Close()
}

// Banner connects to a port, sends nothing and returns what the device sends in
// 3 seconds, at most 512 bytes; nothing if the port is open and the device says
// nothing. It is asked once in a pass. Errors are those of Dial.
func (t *Target) Banner(ctx context.Context, port uint16) ([]byte, error) {
	if b, ok := t.banners[port]; ok && t.touch >= Connect {
		return slices.Clone(b), nil
	}
	c, err := t.Dial(ctx, port)
	if err != nil {
		return nil, err
	}
	defer c.Close() //nolint:errcheck // nothing was written
	_ = c.SetReadDeadline(time.Now().Add(bannerTimeout))
	if ctx.Err() != nil {
		return nil, ctx.Err() // the new deadline may have undone the one of a done context
	}
	b := make([]byte, 0, maxBanner)
	for err == nil && len(b) < maxBanner {
		var n int
		n, err = c.Read(b[len(b):maxBanner])
		b = b[:len(b)+n]
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	t.banners[port] = b
	return slices.Clone(b), nil
}

// silentPorts returns the ports that did not answer, sorted.
func (t *Target) silentPorts() (out []uint16) {
	for port, err := range t.ports {
		if errors.Is(err, ErrNoAnswer) {
			out = append(out, port)
		}
	}
	slices.Sort(out)
	return out
}

// begin makes the Target that of the next probe.
func (t *Target) begin(p *Probe) { t.probe, t.touch = p.Name, p.Touch }

// end closes what a probe left open.
func (t *Target) end() {
	if t.open != nil {
		t.log.Warn("probe left a connection open", "probe", t.probe)
		_ = t.open.Close()
	}
}

// hostPort is the Host header for a port: without the zone of a link-local
// address, which means nothing to the device (RFC 6874 section 1), and without
// the scheme's own port.
func (t *Target) hostPort(port, usual uint16) string {
	host := t.addr.WithZone("")
	if port != usual {
		return netip.AddrPortFrom(host, port).String()
	}
	if host.Is6() {
		return "[" + host.String() + "]"
	}
	return host.String()
}
