package prober

import (
	"context"
	"errors"
	"fmt"
	"github.com/thingwarden/thingwarden/discovery"
	"net"
	"net/netip"
	"time"
)

const (
	maxDatagrams = 10   // sent to a device in a pass (DESIGN section 9)
	maxDatagram  = 4096 // bytes of an answer
)

// Exchange sends one datagram to a UDP port of the device and returns the first
// one that comes back from that port within the time in which the device
// answers, at most 3 seconds. It waits for its turn as Dial does, never sends
// twice, and sends at most 10 datagrams in a pass. An answer of more than 4,096
// bytes is not understood.
//
// The error wraps ErrClosed when the device says that nothing listens there
// (ICMP port unreachable), ErrNoAnswer when it says nothing, ErrUnreadable,
// ErrTouch, ErrForbidden, ErrNotProbed or the context's.
func (t *Target) Exchange(ctx context.Context, port uint16, payload []byte) ([]byte, error) {
	reply, err := t.datagram(ctx, port, payload)
	if err != nil {
		return nil, fmt.Errorf("query udp/%d: %w", port, err)
	}
	return reply, nil
}

func (t *Target) datagram(ctx context.Context, port uint16, payload []byte) ([]byte, error) {
	if t.touch < Read {
		return nil, ErrTouch
	}
	if err := guard(t.device, t.networks(), t.addr, port); err != nil {
		return nil, err
	}
	if t.datagrams == maxDatagrams {
		return nil, fmt.Errorf("after %d datagrams: %w", maxDatagrams, errTooMuch)
	}
	if err := t.pace.wait(ctx); err != nil {
		return nil, err
	}
	if err := t.house.wait(ctx); err != nil {
		return nil, err
	}
	c, err := t.dialUDP(ctx, netip.AddrPortFrom(t.addr, port))
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		if c != nil {
			_ = c.Close()
		}
		return nil, datagramError(ctx, err)
	}
	defer c.Close() //nolint:errcheck // nothing can be done about it
	if t.device.ID != discovery.Hub && isSelf(c, t.addr) {
		return nil, fmt.Errorf("address %q is the hub's own: %w", t.addr, ErrForbidden)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	t.datagrams++
	t.sent(t.addr, 1, 0)
	t.log.Debug("probing a device", "device", t.device.ID, "probe", t.probe, "udp", port)
	start := time.Now()
	t.pace.late(start)
	_ = c.SetReadDeadline(start.Add(t.patience()))
	if ctx.Err() != nil {
		return nil, ctx.Err() // the new deadline may have undone the one of a done context
	}
	if _, err := c.Write(payload); err != nil {
		return nil, datagramError(ctx, err)
	}
	b := make([]byte, maxDatagram+1)
	n, err := c.Read(b)
	if err != nil {
		return nil, datagramError(ctx, err)
	}
	if !t.answered {
		t.answered, t.roundTrip = true, time.Since(start)
	}
	if n > maxDatagram {
		return nil, fmt.Errorf("answer of more than %d bytes: %w", maxDatagram, ErrUnreadable)
	}
	return b[:n], nil
}

// datagramError is the error of an exchange as probes see it.
func datagramError(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrForbidden), errors.Is(err, ErrNotProbed):
		return err
	case isRefused(err):
		return ErrClosed
	case isSilence(err):
		return ErrNoAnswer
	default:
		return fmt.Errorf("%w: %w", ErrNotProbed, err)
	}
}

// NetDialUDP is the DialFunc for datagrams on the real network: a socket that
// receives from that address and port only.
func NetDialUDP(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	return netDial(ctx, "udp", to)
}

// noUDP takes the place of NetDialUDP where connections go elsewhere than to the
// real network, as in the demo: then datagrams must not go there either.
func noUDP(context.Context, netip.AddrPort) (net.Conn, error) {
	return nil, fmt.Errorf("no datagrams here: %w", ErrNotProbed)
}
