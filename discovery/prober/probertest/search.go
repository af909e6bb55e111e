package probertest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// RunSearch plays all archives testdata/search/*.txtar to a search and compares what
// it sends and reports with the file "want" of each. With the flag -update it writes
// that file instead. The other files of an archive are datagrams that come in, in
// their order, once the search has sent its own: "from 192.0.2.10:20002" in
// hexadecimal, "from 192.0.2.10:20002 text" with the escapes of Go strings.
func RunSearch(t *testing.T, s *prober.Search) {
	t.Helper()
	for _, file := range Files(t, "testdata/search") {
		t.Run(strings.TrimSuffix(file[strings.LastIndex(file, "/")+1:], ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			answers, want := readAnswers(t, a)
			var got string
			synctest.Test(t, func(*testing.T) { got = AskAll(s, NewAir(answers)) })
			if *update {
				rewrite(t, file, got)
			} else if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// SearchSeeds returns the datagrams of the archives of RunSearch, for fuzz tests.
func SearchSeeds(f *testing.F) (out [][]byte) {
	f.Helper()
	for _, file := range Files(f, "testdata/search") {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		answers, _ := readAnswers(f, a)
		for _, d := range answers {
			out = append(out, d.Payload)
		}
	}
	return out
}

// FuzzSearch feeds a search datagrams from that port, starting with those of the
// archives of RunSearch: each is read, or refused with an error and no facts.
func FuzzSearch(f *testing.F, s *prober.Search, port uint16) {
	f.Helper()
	for _, b := range SearchSeeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := s.Read(netip.AddrPortFrom(Addr, port), b)
		if (err == nil) != (o.Facts != nil) {
			t.Errorf("facts %v, error %v", o.Facts, err)
		}
	})
}

// Heard is a datagram that comes in.
type Heard struct {
	From    netip.AddrPort
	Payload []byte
}

func readAnswers(t testing.TB, a *txtar.Archive) (all []Heard, want string) {
	t.Helper()
	for _, f := range a.Files {
		fields := strings.Fields(f.Name)
		switch {
		case f.Name == "want":
			want = string(f.Data)
			continue
		case len(fields) < 2 || fields[0] != "from":
			t.Fatalf("file %q is not understood", f.Name)
		}
		from, err := netip.ParseAddrPort(fields[1])
		if err != nil {
			t.Fatal(err)
		}
		b, err := hex.DecodeString(strings.Join(strings.Fields(string(f.Data)), ""))
		if len(fields) > 2 {
			var text string
			text, err = strconv.Unquote(`"` + strings.ReplaceAll(strings.TrimSuffix(string(f.Data), "\n"), `"`, `\"`) + `"`)
			b = []byte(text)
		}
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		all = append(all, Heard{from, b})
	}
	return all, want
}

// AskAll sends a search once on the network of the recorded devices and writes down
// what it sends, and what it reports of each device in the end.
func AskAll(s *prober.Search, air *Air) string {
	last := map[netip.Addr]discovery.Observation{}
	var mu sync.Mutex
	start := time.Now()
	p := prober.New(prober.Options{
		Searches: []*prober.Search{s}, Touch: prober.Read, PerDevice: 4, PerHouse: 32, ListenUDP: air.Listen,
		Now: func() time.Time { return Today.Add(time.Since(start)) },
		Networks: func() discovery.Networks {
			return discovery.Networks{Watched: []discovery.Network{{Interface: "lan0", Prefix: lan, Own: netip.MustParseAddr("192.0.2.2")}}}
		},
		Report: func(o discovery.Observation) {
			mu.Lock()
			defer mu.Unlock()
			last[netip.MustParseAddr(o.About[0].Value)] = o
		},
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_ = p.Run(ctx) // its error is always nil
	var b strings.Builder
	for _, sent := range air.Sent() {
		fmt.Fprintf(&b, "sent %s\n", sent)
	}
	var senders []netip.Addr
	for a := range last {
		senders = append(senders, a)
	}
	slices.SortFunc(senders, netip.Addr.Compare)
	for _, a := range senders {
		fmt.Fprintf(&b, "%s\n", a)
		if last[a].Facts == nil {
			last[a] = discovery.Observation{Facts: fact.New(s.Name, start)}
		}
		text, _, _ := strings.Cut(describe(last[a], 0, 0), "connections ")
		b.WriteString(text)
	}
	return b.String()
}

// Air is a network in memory on which datagrams come in once one was sent, or at
// once to a search that sends none.
type Air struct {
	// InUse makes the port one that another program has.
	InUse bool

	mu      sync.Mutex
	answers []Heard
	sent    []string
	opened  []uint16
}

// NewAir returns a network on which these datagrams come in.
func NewAir(answers []Heard) *Air { return &Air{answers: answers} }

// Silence makes nothing come in any more.
func (a *Air) Silence() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers = nil
}

// Sent returns what was sent, as "192.0.2.255:20002 0200".
func (a *Air) Sent() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.sent)
}

// Opened returns the ports that were opened.
func (a *Air) Opened() []uint16 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.opened)
}

// Listen opens a socket; it is the ListenUDP of prober.Options.
func (a *Air) Listen(port uint16) (net.PacketConn, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.opened = append(a.opened, port)
	if a.InUse {
		return nil, fmt.Errorf("UDP port %d: %w", port, prober.ErrPortInUse)
	}
	c := &airConn{air: a, in: make(chan Heard, len(a.answers)+1), expired: make(chan struct{})}
	time.AfterFunc(time.Second, c.deliver) // all is sent by then
	return c, nil
}

// airConn is a socket on an Air.
type airConn struct {
	air     *Air
	in      chan Heard
	once    sync.Once
	expired chan struct{}
}

func (c *airConn) deliver() {
	c.air.mu.Lock()
	defer c.air.mu.Unlock()
	for _, d := range c.air.answers {
		c.in <- d
	}
}

func (c *airConn) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case d := <-c.in:
		return copy(b, d.Payload), net.UDPAddrFromAddrPort(d.From), nil
	case <-c.expired:
		return 0, nil, os.ErrDeadlineExceeded
	}
}

func (c *airConn) WriteTo(b []byte, to net.Addr) (int, error) {
	c.air.mu.Lock()
	defer c.air.mu.Unlock()
	c.air.sent = append(c.air.sent, fmt.Sprintf("%s %x", to, b))
	return len(b), nil
}

// SetReadDeadline can only make it earlier than it was.
func (c *airConn) SetReadDeadline(t time.Time) error {
	expire := func() { c.once.Do(func() { close(c.expired) }) }
	if d := time.Until(t); d > 0 {
		time.AfterFunc(d, expire)
	} else {
		expire()
	}
	return nil
}

func (c *airConn) Close() error                     { return nil }
func (c *airConn) LocalAddr() net.Addr              { return &net.UDPAddr{} }
func (c *airConn) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (c *airConn) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }
