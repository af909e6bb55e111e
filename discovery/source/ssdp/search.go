package ssdp

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/thingwarden/thingwarden/discovery"
)

const (
	// maxPacket is the longest packet that is read, in bytes; real ones have less
	// than 500.
	maxPacket = 2048
	// answersFor is how long answers to a search are taken: the time in which
	// devices spread them (MX), and some more.
	spread     = 2 // seconds
	answersFor = 5 * time.Second
)

var group = &net.UDPAddr{IP: net.IPv4(239, 255, 255, 250), Port: 1900}

// searcher searches for devices, from one socket for each of the hub's own addresses.
// Only one goroutine may call it.
type searcher struct {
	gate     *gate
	env      discovery.Env
	open     map[netip.Addr]*ipv4.PacketConn
	failed   map[netip.Addr]string // the last error, so that it is logged once
	searched atomic.Int64          // when, in nanoseconds since 1970
	readers  sync.WaitGroup
}

// sync opens and closes sockets so that they match the networks.
func (s *searcher) sync(want []discovery.Network) {
	for own, c := range s.open {
		if !slices.ContainsFunc(want, func(w discovery.Network) bool { return w.Own == own }) {
			_ = c.Close()
			delete(s.open, own)
		}
	}
	if s.failed == nil {
		s.failed = map[netip.Addr]string{}
	}
	for _, w := range want {
		if s.open[w.Own] != nil || !w.Own.IsValid() {
			continue
		}
		c, err := openSearch(w)
		if err != nil {
			if s.failed[w.Own] != err.Error() {
				s.failed[w.Own] = err.Error()
				s.env.Log.Warn("no SSDP search on interface", "interface", w.Interface, "error", err)
			}
			continue
		}
		delete(s.failed, w.Own)
		s.open[w.Own] = c
		s.readers.Go(func() { s.receive(c) })
	}
}

func openSearch(w discovery.Network) (*ipv4.PacketConn, error) {
	ifi, err := net.InterfaceByIndex(w.Index)
	if err != nil {
		return nil, fmt.Errorf("find interface %q: %w", w.Interface, err)
	}
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(w.Own, 0)))
	if err != nil {
		return nil, fmt.Errorf("open a socket on interface %q: %w", w.Interface, err)
	}
	c := ipv4.NewPacketConn(conn)
	if err := c.SetMulticastInterface(ifi); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("multicast on interface %q: %w", w.Interface, err)
	}
	_ = c.SetMulticastTTL(2)          // section 1.3.2; 1 would do on a link
	_ = c.SetMulticastLoopback(false) // the hub's own programs do not matter
	return c, nil
}

// search sends one search on each network.
func (s *searcher) search(round int) {
	s.searched.Store(time.Now().UnixNano())
	types := targets
	if round == 0 {
		types = append(slices.Clone(targets), searchAll)
	}
	for own, c := range s.open {
		for _, target := range types {
			if _, err := c.WriteTo(searchMessage(target), nil, group); err != nil {
				s.env.Log.Debug("SSDP search was not sent", "from", own, "error", err)
				continue
			}
			s.env.Sent(netip.Addr{}, 1, 0)
		}
	}
}

// searchMessage is a search request (UPnP Device Architecture 1.1, section 1.3.2).
func searchMessage(target string) []byte {
	return fmt.Appendf(nil, "M-SEARCH * HTTP/1.1\r\nHOST: %v\r\nMAN: \"ssdp:discover\"\r\nMX: %d\r\nST: %s\r\n\r\n", group, spread, target)
}

func (s *searcher) receive(c *ipv4.PacketConn) {
	buf := make([]byte, maxPacket+1)
	for failures := 0; failures < 10; {
		n, _, from, err := c.ReadFrom(buf)
		if err != nil {
			if isClosed(err) {
				return
			}
			failures++
			continue
		}
		failures = 0
		sender, ok := s.gate.admits(from)
		if !ok || n > maxPacket || time.Since(time.Unix(0, s.searched.Load())) > answersFor {
			continue
		}
		if m, ok := readAnswer(buf[:n]); ok {
			m.from = sender
			s.gate.pass(m)
		}
	}
}

// readAnswer reads the answer to a search (section 1.3.3).
func readAnswer(b []byte) (message, bool) {
	if !bytes.HasSuffix(b, []byte("\r\n\r\n")) {
		b = append(bytes.Clone(b), "\r\n\r\n"...) // some forget it
	}
	r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), nil)
	if err != nil {
		return message{}, false
	}
	_ = r.Body.Close()
	return message{kind: r.Header.Get("ST"), location: r.Header.Get("LOCATION"), server: r.Header.Get("SERVER")}, r.StatusCode == http.StatusOK
}

func (s *searcher) close() {
	for _, c := range s.open {
		_ = c.Close()
	}
	s.readers.Wait()
}
