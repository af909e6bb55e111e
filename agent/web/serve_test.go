package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
)

func ip4(n int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}) }

// serve runs a page on the loopback and returns its address.
func serve(t *testing.T, f *fixture) string {
	t.Helper()
	l, err := Listen(t.Context(), "127.0.0.1:0", "", "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, f.page.Handler(false), slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("ended with %v", err)
		}
	})
	return l.Addr().String()
}

// TestServe: over a real connection, until told to end.
func TestServe(t *testing.T) {
	addr := serve(t, newFixture(t, snapshot()))
	resp, err := http.Get("http://" + addr + "/devices")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if page := body(t, resp); resp.StatusCode != 200 || !strings.Contains(page, "Porch camera") {
		t.Errorf("status %d: %.200s", resp.StatusCode, page)
	}
	large, err := http.NewRequest("GET", "http://"+addr+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	large.Header.Set("Cookie", strings.Repeat("c", 2*maxHeader))
	if resp, err := http.DefaultClient.Do(large); err == nil {
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a large head is answered with %d", resp.StatusCode)
		}
	}
}

// TestHalfOpen: six hundred requests that never come to their end, of heads and of
// forms, keep nobody out.
func TestHalfOpen(t *testing.T) {
	f := newFixture(t, snapshot())
	addr := serve(t, f)
	var all []net.Conn
	for i := range 600 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		all = append(all, c)
		half := "GET / HTTP/1.1\r\nHost: "
		if i%2 == 0 {
			half = fmt.Sprintf("POST /login HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ntoken=", addr)
		}
		_, _ = io.WriteString(c, half) // may be closed by now, as it should
	}
	client := http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for range 5 {
		resp, err := client.Get("http://" + addr + "/")
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != 200 {
			t.Errorf("status %d", resp.StatusCode)
		}
	}
	open := 0
	for _, c := range all {
		_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			open++
		}
	}
	if open > maxWaiting+maxForms {
		t.Errorf("%d connections are still held", open)
	}
}

// TestStreams: sixteen are told of changes, the next one is not; each that ends
// makes room.
func TestStreams(t *testing.T) {
	f := newFixture(t, snapshot())
	now := make(chan *report.Snapshot, 1)
	now <- snapshot()
	f.page.live.snapshot = func() *report.Snapshot { s := <-now; now <- s; return s }
	addr := serve(t, f)
	open := func() (*http.Response, *bufio.Reader) {
		resp, err := http.Get("http://" + addr + "/events")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp, bufio.NewReader(resp.Body)
	}
	var first *http.Response
	var lines *bufio.Reader
	for i := range maxStreams {
		resp, r := open()
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("stream %d: status %d", i, resp.StatusCode)
		}
		if i == 0 {
			first, lines = resp, r
		}
	}
	if resp, _ := open(); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one too many: status %d", resp.StatusCode)
	}
	s := snapshot()
	s.Devices[1].Trusted = true
	<-now
	now <- s
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "event: change\n" {
			break
		}
	}
	first.Body.Close()
	for deadline := time.Now().Add(10 * time.Second); ; {
		if resp, _ := open(); resp.StatusCode == 200 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a stream that ended makes no room")
		}
	}
}

// TestMark: what is worth drawing again, and what is not.
func TestMark(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*report.Snapshot)
		want   bool
	}{
		{"nothing", func(*report.Snapshot) {}, false},
		{"a device was heard", func(s *report.Snapshot) { s.At, s.Devices[1].LastSeen = noon.Add(time.Hour), noon.Add(time.Hour) }, false},
		{"renamed", func(s *report.Snapshot) { s.Devices[1].Title = "Gate" }, true},
		{"trusted", func(s *report.Snapshot) { s.Devices[1].Trusted = true }, true},
		{"away", func(s *report.Snapshot) { s.Devices[1].Online = false }, true},
		{"fixed", func(s *report.Snapshot) { s.Devices[1].Findings[1].Status = "resolved" }, true},
		{"checked", func(s *report.Snapshot) { s.Devices[1].NotChecked = nil }, true},
		{"gone", func(s *report.Snapshot) { s.Devices = s.Devices[:2] }, true},
		{"ailing", func(s *report.Snapshot) { s.Health[0].Error = "x" }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := snapshot()
			tt.change(s)
			if got := markOf(s) != markOf(snapshot()); got != tt.want {
				t.Errorf("drawn again: %v, want %v", got, tt.want)
			}
		})
	}
}

// TestStrangers: at the port of ingress, whoever is not welcome gets no byte.
func TestStrangers(t *testing.T) {
	ours, theirs := net.Pipe() // its address is "pipe", which nobody is
	defer theirs.Close()
	g := guarded{&once{conns: []net.Conn{ours}}}
	if _, err := g.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accepted: %v", err)
	}
	if _, err := theirs.Write([]byte("GET / HTTP/1.1\r\n")); err == nil {
		t.Error("the connection is open")
	}
}

// once is a listener with a fixed number of connections.
type once struct{ conns []net.Conn }

func (o *once) Accept() (net.Conn, error) {
	if len(o.conns) == 0 {
		return nil, net.ErrClosed
	}
	c := o.conns[0]
	o.conns = o.conns[1:]
	return c, nil
}

func (*once) Close() error   { return nil }
func (*once) Addr() net.Addr { return &net.TCPAddr{} }
