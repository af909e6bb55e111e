// Package probertest plays recorded answers to a probe and compares what it makes
// of them: in memory and on real sockets, with the same limits as in a home.
//
// It has no opinion of its own: what an archive wants is what a person has read
// and found right.
package probertest

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/tools/txtar"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/prober/recorded"
)

var update = flag.Bool("update", false, "write what the probe says into the archives")

// Today is when the questions are put, whatever the clock says: dates of firmware
// are compared with it.
var Today = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// Addr is the address of the recorded devices.
var Addr = netip.MustParseAddr("192.0.2.10")

var lan = netip.MustParsePrefix("192.0.2.0/24")

// Run plays all archives *.txtar and testdata/*.txtar of the current folder to a
// probe, in memory and on real sockets, and compares what it says with the file
// "want" of each. With the flag -update it writes that file instead; adding a case
// needs no code. Others are the program's other probes, as far as they matter.
func Run(t *testing.T, p *prober.Probe, others ...*prober.Probe) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	t.Run("memory", func(t *testing.T) {
		each(t, func(t *testing.T, file string, d *recorded.Device) {
			var got string
			synctest.Test(t, func(*testing.T) {
				got = probe(p, d, d.Dial, d.DialUDP, others)
				d.Wait()
				got += d.Sent()
			})
			if *update {
				rewrite(t, file, got)
			} else if diff := cmp.Diff(d.Want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	})
	if !*update {
		t.Run("sockets", func(t *testing.T) { onSockets(t, p, others) })
	}
}

// onSockets plays the archives all at once, since reading a banner takes 3 seconds.
func onSockets(t *testing.T, p *prober.Probe, others []*prober.Probe) {
	got := map[string]string{}
	var mu sync.Mutex
	var running sync.WaitGroup
	for _, file := range Files(t) {
		d := Read(t, file)
		if d.Silent() {
			continue // silence takes its time; the test in memory has it
		}
		dial, stop := listen(t, d)
		dialUDP := closedUDP(t)
		running.Go(func() {
			result := probe(p, d, dial, dialUDP, others)
			stop()
			result += d.Sent()
			mu.Lock()
			defer mu.Unlock()
			got[file] = result
		})
	}
	running.Wait()
	each(t, func(t *testing.T, file string, d *recorded.Device) {
		if diff := cmp.Diff(d.Want, got[file]); !d.Silent() && diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Files returns the archives in folders; without any named, those of the current
// folder and of testdata in it.
func Files(t testing.TB, folders ...string) (all []string) {
	t.Helper()
	if len(folders) == 0 {
		folders = []string{".", "testdata"}
	}
	for _, f := range folders {
		found, err := filepath.Glob(filepath.Join(f, "*.txtar"))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	if len(all) == 0 {
		t.Fatalf("no archives *.txtar in %q", folders)
	}
	return all
}

// Read reads an archive.
func Read(t testing.TB, file string) *recorded.Device {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d, err := recorded.Parse(b)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return d
}

func each(t *testing.T, f func(t *testing.T, file string, d *recorded.Device)) {
	for _, file := range Files(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { f(t, file, Read(t, file)) })
	}
}

func rewrite(t *testing.T, file, got string) {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	a.Files = slices.DeleteFunc(a.Files, func(f txtar.File) bool { return f.Name == "want" })
	a.Files = append(a.Files, txtar.File{Name: "want", Data: []byte(got)})
	if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}

// listen gives every port of the device a listener of its own. It returns a dialer
// that finds them, and what ends them.
func listen(t *testing.T, d *recorded.Device) (dial prober.DialFunc, stop func()) {
	addrs := map[uint16]string{}
	var serving sync.WaitGroup
	var listeners []net.Listener
	for _, port := range d.Ports() {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, ln)
		addrs[port] = ln.Addr().String()
		serving.Go(func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				serving.Go(func() { d.Serve(port, c) })
			}
		})
	}
	dial = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
		addr, ok := addrs[to.Port()]
		if !ok {
			addr = "127.0.0.1:1" // nothing listens on tcpmux
		}
		var dialer net.Dialer
		return dialer.DialContext(ctx, "tcp", addr)
	}
	return dial, func() {
		for _, ln := range listeners {
			_ = ln.Close()
		}
		serving.Wait()
	}
}

// closedUDP returns a dialer to a port on loopback at which nothing listens: a
// closed UDP port is what a real socket has to show.
func closedUDP(t *testing.T) prober.DialFunc {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := netip.MustParseAddrPort(c.LocalAddr().String())
	_ = c.Close()
	return func(ctx context.Context, _ netip.AddrPort) (net.Conn, error) {
		return prober.NetDialUDP(ctx, closed)
	}
}

func probe(p *prober.Probe, r *recorded.Device, dial, dialUDP prober.DialFunc, others []*prober.Probe) string {
	known := fact.New("test", Today)
	for _, n := range r.Known {
		n.By, n.At = "test", Today
		known.Put(n)
	}
	d := Device()
	d.Services, d.Name = r.Services, r.Name
	return Observe(Question{Probe: p, Others: others, Device: d, Known: known, LAN: lan, Touch: r.Touch, Dial: dial, DialUDP: dialUDP})
}

// Device returns the device at Addr.
func Device() discovery.Device {
	return discovery.Device{
		ID: "mac_00005e005301", IDs: []discovery.Identifier{{Kind: discovery.MACID, Value: "00005e005301"}, discovery.IP(Addr)},
	}
}

// Question is a probe and the device that it asks.
type Question struct {
	Probe         *prober.Probe
	Others        []*prober.Probe // beside it, not run
	Device        discovery.Device
	Known         *fact.Evidence // nil for nothing
	LAN           netip.Prefix
	Touch         prober.Touch
	Dial, DialUDP prober.DialFunc
}

// Observe runs a probe once through a Prober and writes down what it says: all facts,
// services and port mappings, the number of connections and of datagrams.
func Observe(q Question) string {
	start := time.Now()
	if q.Known == nil {
		q.Known = fact.New("test", Today)
	}
	observed := make(chan discovery.Observation, 100)
	var connections, datagrams atomic.Int64
	pr := prober.New(prober.Options{
		Probes: append([]*prober.Probe{q.Probe}, idle(q.Others)...), Touch: q.Touch, PerDevice: 16, PerHouse: 128, Dial: q.Dial, DialUDP: q.DialUDP,
		Now: func() time.Time { return Today.Add(time.Since(start)) },
		Networks: func() discovery.Networks {
			return discovery.Networks{Watched: []discovery.Network{{Interface: "lan0", Prefix: q.LAN}}}
		},
		Report: func(o discovery.Observation) { observed <- o },
		Sent: func(_ netip.Addr, packets, n int) {
			datagrams.Add(int64(packets))
			connections.Add(int64(n))
		},
	})
	ctx, cancel := context.WithCancel(context.Background()) // a test of its own may have ended
	var running sync.WaitGroup
	running.Go(func() { _ = pr.Run(ctx) })
	defer running.Wait()
	defer cancel()
	pr.Update(q.Device, q.Known)
	if q.Touch < q.Probe.Touch {
		return describe(discovery.Observation{Facts: pr.Pending(q.Device, q.Known)}, 0, 0)
	}
	result := discovery.Observation{Facts: fact.New("test", time.Now())}
	timeout := time.After(3 * time.Minute)
	for {
		select {
		case o := <-observed:
			for _, e := range o.Facts.Entries() {
				if old, had := result.Facts.Entry(e.Name); !had || !old.Known() {
					result.Facts.Put(e)
				}
			}
			result.Services = append(result.Services, o.Services...)
			result.PortMappings = append(result.PortMappings, o.PortMappings...)
			if o.Name != "" {
				result.Name = o.Name
			}
			if o.Facts.Finished(q.Probe.Name) {
				return describe(result, connections.Load(), datagrams.Load())
			}
		case <-timeout:
			return "not finished within three minutes"
		}
	}
}

// idle returns copies of probes that apply to nothing.
func idle(probes []*prober.Probe) (out []*prober.Probe) {
	for _, p := range probes {
		quiet := *p
		quiet.Applies = func(discovery.Device, *fact.Evidence) bool { return false }
		out = append(out, &quiet)
	}
	return out
}

func describe(o discovery.Observation, connections, datagrams int64) string {
	var b strings.Builder
	if o.Name != "" {
		fmt.Fprintf(&b, "name %s\n", o.Name)
	}
	for _, n := range o.Facts.Entries() {
		if !n.Known() {
			fmt.Fprintf(&b, "%s ? %s\n", n.Name, n.Why)
			continue
		}
		is := "="
		if n.Likely {
			is = "~" // only likely
		}
		fmt.Fprintf(&b, "%s %s %v | %s\n", n.Name, is, n.Value, n.Proof)
	}
	for _, s := range o.Services {
		fmt.Fprintf(&b, "service %s/%d %s\n", s.Proto, s.Port, s.Name)
	}
	for _, m := range slices.SortedFunc(slices.Values(o.PortMappings), discovery.ComparePortMappings) {
		fmt.Fprintf(&b, "port mapping %s %s\n", m.Client, m.Proof())
	}
	fmt.Fprintf(&b, "connections %d\n", connections)
	if datagrams > 0 {
		fmt.Fprintf(&b, "datagrams %d\n", datagrams)
	}
	return b.String()
}
