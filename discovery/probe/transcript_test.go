package probe

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/tools/txtar"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write what the probes say into the transcripts")

// A transcript, testdata/<probe>/<case>.txtar, has these files:
//
//	device       optional lines "service tcp 8081 _http._tcp", "silent 80 8080"
//	             (ports that never answer), "touch connect", "name kitchen",
//	             "fact igd.location http://192.0.2.10/" (known before)
//	tcp/23       what the device sends on connection, then waits
//	tcp/1883 answer   what it sends once it was sent something
//	tcp/80 GET / what it answers to that question; other paths give 404
//	tcp/80 POST /ctl GetStatus 0   what it answers to a SOAP action with these
//	             arguments: whole, or "fault 713", or lines "NewName value"
//	tls/443      as tcp, inside TLS
//	udp/5351 0000   what it answers to a datagram that begins so, both in
//	             hexadecimal; others get no answer. Other UDP ports are closed.
//	want         all facts, services, the number of connections, and what was sent
//	             to ports that answer
//
// Lines end in CR LF on the wire but in the body of an answer, and may hold the
// escapes of Go strings. Ports not named refuse. Adding a case needs no code.
func TestTranscripts(t *testing.T) {
	eachTranscript(t, func(t *testing.T, tr *transcript) {
		var got string
		synctest.Test(t, func(t *testing.T) {
			got = tr.ask(tr.dialPipe, tr.dialPipeUDP)
			tr.serving.Wait()
			got += tr.sent()
		})
		if *update {
			tr.rewrite(t, got)
			return
		}
		if diff := cmp.Diff(tr.want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// The same over real sockets, all at once since reading a banner takes 3 seconds.
func TestTranscriptsLoopback(t *testing.T) {
	got := map[string]string{}
	var mu sync.Mutex
	var asking sync.WaitGroup
	eachTranscript(t, func(t *testing.T, tr *transcript) {
		if tr.takesTime() {
			t.Skip("silence takes its time; TestTranscripts has it")
		}
		dial, stop := tr.listen(t)
		dialUDP := closedUDP(t)
		asking.Go(func() {
			said := tr.ask(dial, dialUDP)
			stop()
			said += tr.sent()
			mu.Lock()
			defer mu.Unlock()
			got[tr.file] = said
		})
	})
	asking.Wait()
	t.Run("compare", func(t *testing.T) {
		eachTranscript(t, func(t *testing.T, tr *transcript) {
			if diff := cmp.Diff(tr.want, got[tr.file]); !tr.takesTime() && diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	})
}

func eachTranscript(t *testing.T, f func(*testing.T, *transcript)) {
	for _, p := range All {
		files, _ := filepath.Glob(filepath.Join("testdata", p.Name, "*.txtar"))
		if len(files) == 0 {
			t.Errorf("probe %q has no transcript in testdata/%s", p.Name, p.Name)
		}
		for _, file := range files {
			t.Run(p.Name+"/"+strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { f(t, readTranscript(t, p, file)) })
		}
	}
}

type transcript struct {
	file     string
	archive  *txtar.Archive
	probe    *prober.Probe
	touch    prober.Touch
	name     string
	facts    *fact.Evidence
	services []discovery.Service
	silent   []uint16
	udp      map[uint16]map[string][]byte // by the datagram's beginning
	open     map[uint16]*fakePort
	want     string
	serving  sync.WaitGroup
}

type fakePort struct {
	tls    bool
	banner []byte
	answer []byte
	paths  map[string][]byte
	soap   map[string][]byte // by path, action and arguments

	mu  sync.Mutex
	got []byte // by a port that answers
}

var deviceAddr = netip.MustParseAddr("192.0.2.10")

func readTranscript(t *testing.T, p *prober.Probe, file string) *transcript {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tr := &transcript{file: file, archive: a, probe: p, touch: prober.Read, open: map[uint16]*fakePort{},
		facts: fact.New("test", today), udp: map[uint16]map[string][]byte{}}
	for _, f := range a.Files {
		switch {
		case f.Name == "want":
			tr.want = string(f.Data)
		case f.Name == "device":
			tr.readDevice(t, string(f.Data))
		default:
			tr.readPort(t, f)
		}
	}
	return tr
}

func (tr *transcript) readDevice(t *testing.T, text string) {
	for line := range strings.Lines(text) {
		switch f := strings.Fields(line); f[0] {
		case "service":
			tr.services = append(tr.services, discovery.Service{Proto: f[1], Port: int(portNumber(t, f[2])), Name: f[3]})
		case "silent":
			for _, p := range f[1:] {
				tr.silent = append(tr.silent, portNumber(t, p))
			}
		case "name":
			tr.name = f[1]
		case "fact":
			tr.know(t, f[1], f[2])
		case "touch":
			tr.touch = map[string]prober.Touch{"listen": prober.Listen, "connect": prober.Connect}[f[1]]
		default:
			t.Fatalf("%s: device: %q", tr.file, line)
		}
	}
}

func (tr *transcript) readPort(t *testing.T, f txtar.File) {
	if strings.HasPrefix(f.Name, "udp/") {
		tr.readUDP(t, f)
		return
	}
	name, path, isGet := strings.Cut(f.Name, " GET ")
	name, call, isPost := strings.Cut(name, " POST ")
	name, isAnswer := strings.CutSuffix(name, " answer")
	proto, number, _ := strings.Cut(name, "/")
	port := portNumber(t, number)
	p := tr.open[port]
	if p == nil {
		p = &fakePort{tls: proto == "tls", paths: map[string][]byte{}, soap: map[string][]byte{}}
		tr.open[port] = p
	}
	switch {
	case isGet:
		p.paths[path] = unescape(t, string(f.Data), true)
	case isPost:
		p.soap[call] = soapAnswer(t, call, string(f.Data))
	case isAnswer:
		p.answer = append([]byte{}, unescape(t, string(f.Data), false)...)
	default:
		p.banner = unescape(t, string(f.Data), false)
	}
}

func portNumber(t *testing.T, s string) uint16 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return uint16(n)
}

// unescape makes bytes of a text: lines end in CR LF, after a blank line of an
// HTTP answer in LF; the last has no end.
func unescape(t *testing.T, text string, isHTTP bool) []byte {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	var b []byte
	end := "\r\n"
	for i, line := range lines {
		s, err := strconv.Unquote(`"` + strings.ReplaceAll(line, `"`, `\"`) + `"`)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		b = append(b, s...)
		if i < len(lines)-1 || isHTTP && end == "\r\n" {
			b = append(b, end...)
		}
		if isHTTP && line == "" {
			end = "\n"
		}
	}
	if isHTTP && end == "\r\n" {
		b = append(b, end...)
	}
	return b
}

// serve is the device's side of a connection.
func (p *fakePort) serve(c net.Conn) {
	defer c.Close()
	if p.tls {
		c = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{certificate()}})
	}
	if p.answer != nil {
		p.listenAndAnswer(c)
		return
	}
	if len(p.paths)+len(p.soap) == 0 {
		var reading sync.WaitGroup
		reading.Go(func() { _, _ = io.Copy(io.Discard, c) })
		_, _ = c.Write(p.banner)
		reading.Wait()
		return
	}
	r := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		reply, ok := p.paths[req.RequestURI]
		if req.Method == http.MethodPost {
			reply, ok = p.soap[soapCall(req)]
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

func (p *fakePort) listenAndAnswer(c net.Conn) {
	var answering sync.WaitGroup
	defer answering.Wait()
	for first, b := true, make([]byte, 1024); ; first = false {
		n, err := c.Read(b)
		p.mu.Lock()
		p.got = append(p.got, b[:n]...)
		p.mu.Unlock()
		if err != nil {
			return
		}
		if first && len(p.answer) > 0 {
			answering.Go(func() { _, _ = c.Write(p.answer) })
		}
	}
}

// sent is what was sent to the ports that answer.
func (tr *transcript) sent() string {
	var b strings.Builder
	for _, port := range slices.Sorted(maps.Keys(tr.open)) {
		if p := tr.open[port]; p.answer != nil {
			fmt.Fprintf(&b, "sent tcp/%d %x\n", port, p.got)
			p.got = nil
		}
	}
	return b.String()
}

var certificate = sync.OnceValue(func() tls.Certificate {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) // always the same: its fingerprint is compared
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "device.test"}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// dialPipe connects in memory.
func (tr *transcript) dialPipe(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	if slices.Contains(tr.silent, to.Port()) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	p := tr.open[to.Port()]
	if p == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	client, server := net.Pipe()
	tr.serving.Go(func() { p.serve(server) })
	return client, nil
}

// listen gives every port of the device a listener of its own and returns a
// dialer that finds it.
func (tr *transcript) listen(t *testing.T) (dial prober.DialFunc, stop func()) {
	addrs := map[uint16]string{}
	var serving sync.WaitGroup
	var listeners []net.Listener
	for port, p := range tr.open {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addrs[port] = ln.Addr().String()
		listeners = append(listeners, ln)
		serving.Go(func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				serving.Go(func() { p.serve(c) })
			}
		})
	}
	dial = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
		addr, ok := addrs[to.Port()]
		if !ok {
			addr = "127.0.0.1:1" // nothing listens on tcpmux
		}
		var d net.Dialer
		return d.DialContext(ctx, "tcp", addr)
	}
	return dial, func() {
		for _, ln := range listeners {
			_ = ln.Close()
		}
		serving.Wait()
	}
}

// ask runs the probe through a Prober and writes down what it says.
func (tr *transcript) ask(dial, dialUDP prober.DialFunc) string {
	d := discovery.Device{
		ID: "mac_00005e005301", IDs: []discovery.Identifier{{Kind: discovery.MACID, Value: "00005e005301"}, discovery.IP(deviceAddr)},
		Services: tr.services, Name: tr.name,
	}
	return askKnown(tr.probe, d, tr.facts, netip.MustParsePrefix("192.0.2.0/24"), tr.touch, dial, dialUDP)
}

// today is when the questions are put, whatever the clock says: dates of firmware
// are compared with it.
var today = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func askDevice(p *prober.Probe, d discovery.Device, lan netip.Prefix, touch prober.Touch, dial prober.DialFunc) string {
	return askKnown(p, d, fact.New("test", today), lan, touch, dial, nil)
}

// askKnown asks a device of which something is known already.
func askKnown(p *prober.Probe, d discovery.Device, known *fact.Evidence, lan netip.Prefix, touch prober.Touch, dial, dialUDP prober.DialFunc) string {
	start := time.Now()
	observed := make(chan discovery.Observation, 100)
	var connections, datagrams atomic.Int64
	prober := prober.New(prober.Options{
		Probes: []*prober.Probe{p}, Touch: touch, PerDevice: 16, PerHouse: 128, Dial: dial, DialUDP: dialUDP,
		Now: func() time.Time { return today.Add(time.Since(start)) },
		Networks: func() discovery.Networks {
			return discovery.Networks{Looked: []discovery.Network{{Interface: "lan0", Prefix: lan}}}
		},
		Report: func(o discovery.Observation) { observed <- o },
		Sent: func(_ netip.Addr, packets, n int) {
			datagrams.Add(int64(packets))
			connections.Add(int64(n))
		},
	})
	ctx, cancel := context.WithCancel(context.Background()) // a test of its own may have ended
	var running sync.WaitGroup
	running.Go(func() { _ = prober.Run(ctx) })
	defer running.Wait()
	defer cancel()
	facts := fact.New("test", time.Now())
	prober.Update(d, known)
	if touch < p.Touch {
		return describe(prober.Pending(d, known), nil, 0)
	}
	name := ""
	timeout := time.After(3 * time.Minute)
	var services []discovery.Service
	for {
		select {
		case o := <-observed:
			for _, e := range o.Facts.Entries() {
				if old, had := facts.Entry(e.Name); !had || !old.Known() {
					facts.Put(e)
				}
			}
			services = append(services, o.Services...)
			if o.Name != "" {
				name = "name " + o.Name + "\n"
			}
			if o.Facts.Finished(p.Name) {
				said := name + describe(facts, services, int(connections.Load()))
				if n := datagrams.Load(); n > 0 {
					said += fmt.Sprintf("datagrams %d\n", n)
				}
				return said
			}
		case <-timeout:
			return "not finished within three minutes"
		}
	}
}

func describe(e *fact.Evidence, services []discovery.Service, connections int) string {
	var b strings.Builder
	for _, n := range e.Entries() {
		if !n.Known() {
			fmt.Fprintf(&b, "%s ? %s\n", n.Name, n.Why)
			continue
		}
		fmt.Fprintf(&b, "%s = %v | %s\n", n.Name, n.Value, n.Proof)
	}
	for _, s := range services {
		fmt.Fprintf(&b, "service %s/%d %s\n", s.Proto, s.Port, s.Name)
	}
	fmt.Fprintf(&b, "connections %d\n", connections)
	return b.String()
}

func (tr *transcript) rewrite(t *testing.T, got string) {
	tr.archive.Files = slices.DeleteFunc(tr.archive.Files, func(f txtar.File) bool { return f.Name == "want" })
	tr.archive.Files = append(tr.archive.Files, txtar.File{Name: "want", Data: []byte(got)})
	if err := os.WriteFile(tr.file, txtar.Format(tr.archive), 0o644); err != nil {
		t.Fatal(err)
	}
}
