package prober

import (
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// watchPort is how often a search looks whether another program wants its port.
const watchPort = 50 * time.Millisecond

// udpSocket is the socket of a search. One with a fixed port gives way to any other
// program that opens that port.
type udpSocket struct {
	*net.UDPConn
	port  uint16
	taken atomic.Bool
	done  chan struct{}
}

// NetListenUDP opens the socket of a search on the real network: an IPv4 UDP socket
// on that local port, or on any if it is 0. The error wraps ErrPortInUse if another
// program has the port; so does that of reading once another opens it too.
func NetListenUDP(port uint16) (net.PacketConn, error) {
	// Exclusively, so that it fails if anyone has the port, however he opened it;
	// once it is open, others may have it as well.
	c, err := net.ListenUDP("udp4", &net.UDPAddr{Port: int(port)})
	switch {
	case isInUse(err):
		return nil, fmt.Errorf("UDP port %d: %w", port, ErrPortInUse)
	case err != nil:
		return nil, fmt.Errorf("open UDP port %d: %w", port, err)
	}
	s := &udpSocket{UDPConn: c, port: port, done: make(chan struct{})}
	if port == 0 {
		return s, nil
	}
	if err := shareable(c); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("open UDP port %d for others: %w", port, err)
	}
	go s.watch()
	return s, nil
}

// watch closes the socket as soon as another program has the port too.
func (s *udpSocket) watch() {
	tick := time.NewTicker(watchPort)
	defer tick.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-tick.C:
		}
		if isShared(s.port) {
			s.taken.Store(true)
			_ = s.UDPConn.Close()
			return
		}
	}
}

// ReadFrom implements net.PacketConn.
func (s *udpSocket) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := s.UDPConn.ReadFrom(b)
	if err != nil && s.taken.Load() {
		err = fmt.Errorf("UDP port %d: %w", s.port, ErrPortInUse)
	}
	return n, from, err
}

// Close implements net.PacketConn. It must be called once.
func (s *udpSocket) Close() error {
	close(s.done)
	return s.UDPConn.Close()
}

// winInUse is WSAEADDRINUSE, which package syscall does not name.
const winInUse = syscall.Errno(10048)

func isInUse(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, winInUse)
}
