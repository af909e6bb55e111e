package wsjson

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// connect dials a server that opens the WebSocket, sends bytes and hangs up.
func connect(t *testing.T, sent string) *Conn {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = raw.Close() }()
		// RFC 6455 section 4.2.2.
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		_, _ = fmt.Fprintf(raw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n%s",
			base64.StdEncoding.EncodeToString(sum[:]), sent)
	}))
	t.Cleanup(server.Close)
	c, err := Dial(t.Context(), server.URL, Client(Transport()), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestRead(t *testing.T) {
	frame := func(first byte, payload string) string {
		return string([]byte{first, 126, byte(len(payload) >> 8), byte(len(payload))}) + payload
	}
	// RFC 6455 section 5.2: FIN and the opcode, then the length, then the payload.
	tests := []struct{ name, in, want string }{
		{"text", frame(0x81, `{"a":1}`), `{"a":1}`},
		{"text in two fragments", frame(0x01, `{"a"`) + frame(0x80, `:1}`), `{"a":1}`},
		{"a pong between", "\x8a\x00" + frame(0x81, `1`), `1`},
		{"the connection ends", "", "lost"},
		{"cut in the header", "\x81", "lost"},
		{"cut in the payload", "\x81\x05ab", "lost"},
		{"longer than MaxFrame", "\x81\x7f\x00\x00\x00\x00\x01\x00\x00\x01" + strings.Repeat("x", 1<<10), "lost"},
		{"a length below zero", "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", "lost"},
		// RFC 6455 section 5.1 forbids it; the library ignores the mask, which does no harm.
		{"masked by the server", "\x81\x81abcdx", "x"},
		{"a reserved opcode", frame(0x83, "x"), "lost"},
		{"a reserved bit", frame(0xc1, "x"), "lost"},
		{"a fragmented ping", "\x09\x00", "lost"},
		{"a ping that is too long", frame(0x89, strings.Repeat("x", 126)), "lost"},
		{"a continuation of nothing", frame(0x80, "x"), "lost"},
		{"closed", "\x88\x02\x03\xe8", "lost"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := connect(t, tt.in)
			b, err := c.Read(t.Context())
			got := string(b)
			if err != nil {
				got = map[bool]string{true: "lost", false: err.Error()}[errors.Is(err, ErrLost)]
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDialRefused(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	tests := []struct {
		name string
		code int
	}{{"no WebSocket", http.StatusOK}, {"not authorised", http.StatusUnauthorized}, {"redirected", http.StatusTemporaryRedirect}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", other.URL)
				w.WriteHeader(tt.code)
			}))
			defer server.Close()
			header := http.Header{"Authorization": {"Bearer not-to-be-shown"}}
			_, err := Dial(t.Context(), server.URL, Client(Transport()), header)
			status, ok := errors.AsType[*StatusError](err)
			if !ok || status.Code != tt.code {
				t.Fatalf("error = %v, want a StatusError of %d", err, tt.code)
			}
			if strings.Contains(err.Error(), "not-to-be-shown") {
				t.Errorf("error shows the header: %v", err)
			}
		})
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d requests followed a redirect", n)
	}
}

func TestPlain(t *testing.T) {
	known := errors.New("it does not accept the token")
	tests := []struct {
		name string
		in   error
		want string
	}{
		{"known", fmt.Errorf("log in: %w", known), "it does not accept the token"},
		{"silent before lost", fmt.Errorf("%w: %w", ErrLost, ErrSilent), "it no longer answers"},
		{"lost", fmt.Errorf("%w: EOF", ErrLost), "the connection was lost"},
		{"of the network", fmt.Errorf("dial: %w", &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}), "connection refused"},
		{"control characters", errors.New("a\x1b[31mb"), "a[31mb"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Plain(tt.in, known)); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
}
