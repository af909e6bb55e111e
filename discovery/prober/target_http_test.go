package prober

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever a server does, the answer is bounded in bytes and in time.
func TestGetFromHostileServers(t *testing.T) {
	ok := "HTTP/1.1 200 OK\r\n"
	for _, tt := range []struct {
		name      string
		dial      DialFunc
		want      error // nil: an answer
		body      int
		truncated bool
		most      time.Duration
	}{
		{"endless body", serving(func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = io.WriteString(c, ok+"\r\n")
			for {
				if _, err := c.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}), nil, maxBody, true, time.Second},
		{"endless header", serving(func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = io.WriteString(c, ok)
			for i := 0; ; i++ {
				if _, err := fmt.Fprintf(c, "X-%d: y\r\n", i); err != nil {
					return
				}
			}
		}), ErrUnreadable, 0, false, time.Second},
		{"one header line without end", saying(ok + "X: " + strings.Repeat("a", 1<<20)), ErrUnreadable, 0, false, time.Second},
		{"header just too large", saying(ok + "X: " + strings.Repeat("a", maxHeader) + "\r\n\r\nbody"), ErrUnreadable, 0, false, time.Second},
		{"large header within limits", saying(ok + "X: " + strings.Repeat("a", maxHeader-100) + "\r\n\r\nbody"), nil, 4, false, time.Second},
		{"slow body", serving(func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = io.WriteString(c, ok+"\r\n")
			for {
				if _, err := c.Write([]byte("x")); err != nil {
					return
				}
				time.Sleep(800 * time.Millisecond)
			}
		}), nil, 7, true, totalTimeout},
		{"slow header", serving(func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			for {
				if _, err := c.Write([]byte("H")); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}), ErrUnreadable, 0, false, totalTimeout},
		{"accepts and is silent", serving(func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }), ErrNoAnswer, 0, false, totalTimeout},
		{"never reads", serving(func(net.Conn) { time.Sleep(time.Minute) }), ErrNoAnswer, 0, false, totalTimeout},
		{"hangs up", serving(func(net.Conn) {}), ErrUnreadable, 0, false, time.Second},
		{"hangs up in the body", saying(ok + "Content-Length: 100\r\n\r\nhalf"), nil, 4, true, time.Second},
		{"compressed bomb", saying(ok + "Content-Encoding: gzip\r\n\r\n" + bomb()), nil, len(bomb()), false, time.Second},
		{"endless informational answers", saying(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 1000)), ErrUnreadable, 0, false, time.Second},
		{"informational answer first", saying("HTTP/1.1 103 Early Hints\r\n\r\n" + ok + "\r\nbody"), nil, 4, false, time.Second},
		{"chunks of one byte", saying(ok + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\nx\r\n", maxBody)), nil, -1, true, time.Second},
		{"huge chunk size", saying(ok + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nbody"), nil, 4, true, time.Second},
		{"both length and chunks", saying(ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"), nil, 4, false, time.Second},
		{"negative length", saying(ok + "Content-Length: -1\r\n\r\nbody"), ErrUnreadable, 0, false, time.Second},
		{"no HTTP", saying("220 ftp ready\r\n"), ErrUnreadable, 0, false, time.Second},
		{"redirect elsewhere is not followed", saying("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n"), nil, 0, false, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				defer time.Sleep(time.Hour) // the servers come to their end
				dials := 0
				target := testTarget(func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
					dials++
					return tt.dial(ctx, to)
				})
				start := time.Now()
				r, err := target.Get(t.Context(), 80, "/")
				if took := time.Since(start); took > tt.most {
					t.Errorf("took %v, at most %v is allowed", took, tt.most)
				}
				if !errors.Is(err, tt.want) {
					t.Fatalf("error %v, want %v", err, tt.want)
				}
				if _, again := target.Get(t.Context(), 80, "/"); (again == nil) != (err == nil) || dials != 1 {
					t.Errorf("asked %d times, error at last %v", dials, again)
				}
				if err != nil {
					return
				}
				if r.Truncated != tt.truncated || tt.body >= 0 && len(r.Body) != tt.body || len(r.Body) > maxBody {
					t.Errorf("body of %d bytes, truncated %v; want %d, %v", len(r.Body), r.Truncated, tt.body, tt.truncated)
				}
			})
		})
	}
}

// bomb is a few kilobytes that unpack to megabytes.
var bomb = sync.OnceValue(func() string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(make([]byte, 2<<20))
	_ = z.Close()
	return b.String()
})

func TestGetIsPolite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := make(chan string, 1)
		target := testTarget(serving(func(c net.Conn) {
			b := make([]byte, 4096)
			n, _ := c.Read(b)
			requests <- string(b[:n])
			_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
		}))
		if _, err := target.Get(t.Context(), 8080, "/rpc/Shelly.GetDeviceInfo?ident=true"); err != nil {
			t.Fatal(err)
		}
		want := "GET /rpc/Shelly.GetDeviceInfo?ident=true HTTP/1.1\r\nHost: 192.0.2.10:8080\r\nUser-Agent: " + userAgent +
			"\r\nConnection: close\r\nAccept: */*\r\n\r\n"
		if got := <-requests; got != want {
			t.Errorf("asked %q, want %q", got, want)
		}
		for _, path := range []string{"", "x", "http://127.0.0.1/", "/\r\nX: y"} {
			if r, err := target.Get(t.Context(), 80, path); !errors.Is(err, ErrForbidden) {
				t.Errorf("path %q: %v, %v", path, r, err)
			}
		}
	})
}

func FuzzReadResponse(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 401 x\r\nWWW-Authenticate: Basic\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nX: y\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := readResponse(bytes.NewReader(b), nil)
		if err == nil && (len(r.Body) > maxBody || r.Status < 100) {
			t.Errorf("status %d with %d bytes", r.Status, len(r.Body))
		}
	})
}
