package recorded

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// port is an open TCP port.
type port struct {
	tls     bool
	banner  []byte
	answers bool // it does something once it was sent something:
	answer  []byte
	hangsUp bool
	paths   map[string][]byte
	soap    map[string][]byte // by path, action and arguments

	mu  sync.Mutex
	got []byte // by a port that answers
}

// Dial connects to the device in memory. It is a prober.DialFunc.
func (d *Device) Dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	if slices.Contains(d.silent, to.Port()) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if d.open[to.Port()] == nil {
		return nil, refused("dial", "tcp")
	}
	client, server := net.Pipe()
	d.serving.Go(func() { d.Serve(to.Port(), server) })
	return client, nil
}

func refused(op, network string) error {
	return &net.OpError{Op: op, Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
}

// Wait returns when all connections that Dial and DialUDP made have ended.
func (d *Device) Wait() { d.serving.Wait() }

// Serve plays the device's side of a connection to one of its open ports, until
// either side ends it, and closes it.
func (d *Device) Serve(number uint16, c net.Conn) {
	defer c.Close() //nolint:errcheck // the other side has seen its end, or has gone
	p := d.open[number]
	if p == nil {
		return
	}
	if p.tls {
		cert, err := certificate()
		if err != nil {
			return
		}
		c = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
	}
	switch {
	case p.answers:
		p.listenAndAnswer(c)
	case len(p.paths)+len(p.soap) > 0:
		p.serveHTTP(c)
	default:
		var reading sync.WaitGroup
		reading.Go(func() { _, _ = io.Copy(io.Discard, c) })
		_, _ = c.Write(p.banner)
		reading.Wait()
	}
}

func (p *port) serveHTTP(c net.Conn) {
	r := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		reply, ok := p.paths[req.RequestURI]
		if req.Method == http.MethodPost {
			reply, ok = p.soap[SOAPCall(req)]
		}
		if !ok {
			reply = []byte("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
		}
		_, _ = c.Write(reply)
		if req.Close || bytes.Contains(reply, []byte("Connection: close")) {
			return
		}
	}
}

func (p *port) listenAndAnswer(c net.Conn) {
	var answering sync.WaitGroup
	defer answering.Wait()
	answering.Go(func() { _, _ = c.Write(p.banner) })
	for first, b := true, make([]byte, 1024); ; first = false {
		n, err := c.Read(b)
		p.mu.Lock()
		p.got = append(p.got, b[:n]...)
		p.mu.Unlock()
		if err != nil {
			return
		}
		if p.hangsUp {
			_ = c.Close() // a banner that nobody reads ends too
			return
		}
		if first && len(p.answer) > 0 {
			answering.Go(func() { _, _ = c.Write(p.answer) })
		}
	}
}

// Sent says, a line a port, what was sent to the ports that answer, and forgets it.
func (d *Device) Sent() string {
	var b strings.Builder
	for _, number := range d.Ports() {
		if p := d.open[number]; p.answers {
			p.mu.Lock()
			fmt.Fprintf(&b, "sent tcp/%d %x\n", number, p.got)
			p.got = nil
			p.mu.Unlock()
		}
	}
	return b.String()
}

// certificate makes the certificate of all recorded devices, whose key is always
// the same: tests compare its fingerprint.
func certificate() (tls.Certificate, error) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "device.test"}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// DialUDP opens a socket to the device in memory. It is a prober.DialFunc.
func (d *Device) DialUDP(_ context.Context, to netip.AddrPort) (net.Conn, error) {
	answers := d.udp[to.Port()]
	client, server := net.Pipe()
	if answers == nil {
		_ = server.Close()
		return closedUDP{client}, nil
	}
	d.serving.Go(func() {
		defer server.Close() //nolint:errcheck // in memory
		b := make([]byte, 2048)
		for {
			n, err := server.Read(b)
			if err != nil {
				return
			}
			for _, answer := range d.answersTo(to.Port(), b[:n]) {
				_, _ = server.Write(answer)
			}
		}
	})
	return client, nil
}

// ServeUDP answers what comes to one of the device's UDP ports, until c is closed.
func (d *Device) ServeUDP(number uint16, c net.PacketConn) {
	b := make([]byte, 2048)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		for _, answer := range d.answersTo(number, b[:n]) {
			_, _ = c.WriteTo(answer, from)
		}
	}
}

func (d *Device) answersTo(number uint16, datagram []byte) (all [][]byte) {
	for question, answer := range d.udp[number] {
		if strings.HasPrefix(hex.EncodeToString(datagram), question) {
			all = append(all, answer)
		}
	}
	return all
}

// closedUDP is a socket towards a closed UDP port.
type closedUDP struct{ net.Conn }

func (closedUDP) Write(b []byte) (int, error) { return len(b), nil }

func (closedUDP) Read([]byte) (int, error) { return 0, refused("read", "udp") }
