package routed

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
)

// payload tells whoever sees our echo requests whose they are.
const payload = "thingwarden"

// ping sends each address one echo request (RFC 792) from a socket that needs no
// privilege, and returns those that reply. The error says that the system has no
// such socket for us. Before each request, sent is called.
func ping(ctx context.Context, all []netip.Addr, sent func(netip.Addr) error) (map[netip.Addr]bool, error) {
	c, err := icmp.ListenPacket("udp4", "0.0.0.0")
	if err != nil {
		return nil, fmt.Errorf("open a socket for pings: %w", err)
	}
	defer c.Close() //nolint:errcheck // nothing can be done about it
	stop := context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	asked := make(map[netip.Addr]bool, len(all))
	for _, a := range all {
		asked[a] = true
	}
	done := make(chan map[netip.Addr]bool)
	go func() { done <- replies(c, asked) }()
	for n, a := range all {
		if sent(a) != nil {
			break
		}
		m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{Seq: n & 0xffff, Data: []byte(payload)}}
		if b, err := m.Marshal(nil); err == nil {
			_, _ = c.WriteTo(b, &net.UDPAddr{IP: a.AsSlice()}) // one without a route has no device
		}
	}
	if ctx.Err() == nil {
		_ = c.SetReadDeadline(time.Now().Add(timeout))
	}
	return <-done, nil
}

// replies reads until the deadline, and returns which of the addresses replied.
func replies(c net.PacketConn, asked map[netip.Addr]bool) map[netip.Addr]bool {
	out := map[netip.Addr]bool{}
	b := make([]byte, 256)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return out
		}
		if a, ok := replied(b[:n], from); ok && asked[a] {
			out[a] = true
		}
	}
}

// replied returns the address from which a message came if it is an echo reply to
// one of our requests: of errors that others send the address says nothing.
func replied(b []byte, from net.Addr) (netip.Addr, bool) {
	udp, ok := from.(*net.UDPAddr)
	m, err := icmp.ParseMessage(ipv4.ICMPTypeEchoReply.Protocol(), b)
	if !ok || err != nil || m.Type != ipv4.ICMPTypeEchoReply {
		return netip.Addr{}, false
	}
	echo, ok := m.Body.(*icmp.Echo)
	return udp.AddrPort().Addr().Unmap(), ok && string(echo.Data) == payload
}
