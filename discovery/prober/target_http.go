package prober

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// userAgent names us to a device that keeps a log.
const userAgent = "Thingwarden (+https://github.com/thingwarden/thingwarden)"

// Response is a device's answer to a GET. It is shared by all probes of a pass
// and must not be changed.
type Response struct {
	Status    int
	Header    http.Header
	Body      []byte // at most 64 KiB, as sent: never decompressed
	Truncated bool   // the device sent more, or stopped in the middle
	// TLS is the state of the connection, the device's certificate among it,
	// which nobody has verified; nil without encryption.
	TLS *tls.ConnectionState
}

// Get asks for a path (with a query, if any) by HTTP without encryption. It
// follows no redirect, sends no cookie and no log-in, and reads at most 16 KiB
// of header and 64 KiB of body in 5 seconds. The same question is put once in a
// pass. Errors are those of Dial, or wrap ErrUnreadable.
func (t *Target) Get(ctx context.Context, port uint16, path string) (*Response, error) {
	return t.get(ctx, question{false, port, path})
}

// GetTLS is Get by HTTPS. Any certificate will do: it is recorded, not trusted.
func (t *Target) GetTLS(ctx context.Context, port uint16, path string) (*Response, error) {
	return t.get(ctx, question{true, port, path})
}

func (t *Target) get(ctx context.Context, q question) (*Response, error) {
	if t.touch < Read {
		return nil, fmt.Errorf("get tcp/%d: %w", q.port, ErrTouch)
	}
	if a, ok := t.responses[q]; ok {
		return a.response, a.err
	}
	r, err := t.exchange(ctx, q)
	if err != nil {
		err = fmt.Errorf("get tcp/%d%s: %w", q.port, q.path, err)
	}
	if ctx.Err() == nil {
		t.responses[q] = answer{r, err}
	}
	return r, err
}

func (t *Target) exchange(ctx context.Context, q question) (*Response, error) {
	u, err := url.ParseRequestURI(q.path)
	if err != nil || u.Host != "" || u.Scheme != "" {
		return nil, fmt.Errorf("path %q: %w", q.path, ErrForbidden)
	}
	var c net.Conn
	var state *tls.ConnectionState
	usual := uint16(80)
	if q.tls {
		usual = 443
		c, state, err = t.dialTLS(ctx, q.port)
	} else {
		c, err = t.Dial(ctx, q.port)
	}
	if err != nil {
		return nil, err
	}
	defer c.Close() //nolint:errcheck // nothing can be done about it
	req := &http.Request{
		Method: http.MethodGet, URL: u, Host: t.hostPort(q.port, usual), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"User-Agent": {userAgent}, "Accept": {"*/*"}}, Close: true,
	}
	if err := req.Write(c); err != nil {
		return nil, readError(ctx, err)
	}
	r, err := readResponse(c, req)
	if err != nil {
		return nil, readError(ctx, err)
	}
	r.TLS = state
	return r, nil
}

// readResponse reads an answer within the limits. A body that stops early is
// kept as far as it came.
func readResponse(from io.Reader, req *http.Request) (*Response, error) {
	limited := &io.LimitedReader{R: from, N: maxHeader}
	buffered := bufio.NewReader(limited)
	for range 5 { // informational answers may come first (RFC 9110 section 15.2)
		resp, err := http.ReadResponse(buffered, req)
		if err != nil {
			if limited.N <= 0 {
				return nil, fmt.Errorf("header of more than %d bytes: %w", maxHeader, ErrUnreadable)
			}
			return nil, err
		}
		if resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		limited.N = 2 * maxBody // chunks have a size of their own
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
		r := &Response{Status: resp.StatusCode, Header: resp.Header, Body: body, Truncated: err != nil}
		if len(body) > maxBody {
			r.Body, r.Truncated = body[:maxBody], true
		}
		return r, nil
	}
	return nil, fmt.Errorf("nothing but informational answers: %w", ErrUnreadable)
}

// Handshake asks for encryption on a port and returns what the device showed,
// its certificate among it, which nobody has verified. It is asked once in a
// pass, and not at all after a GetTLS. Errors are those of Dial, or wrap
// ErrUnreadable.
func (t *Target) Handshake(ctx context.Context, port uint16) (*tls.ConnectionState, error) {
	if t.touch < Read {
		return nil, fmt.Errorf("handshake on tcp/%d: %w", port, ErrTouch)
	}
	if h, ok := t.handshakes[port]; ok {
		return h.state, h.err
	}
	c, state, err := t.dialTLS(ctx, port)
	if err != nil {
		return nil, err
	}
	_ = c.Close()
	return state, nil
}

func (t *Target) dialTLS(ctx context.Context, port uint16) (net.Conn, *tls.ConnectionState, error) {
	plain, err := t.Dial(ctx, port)
	if err != nil {
		return nil, nil, err
	}
	c := tls.Client(plain, tlsConfig())
	if err := c.HandshakeContext(ctx); err != nil {
		_ = plain.Close()
		err = fmt.Errorf("handshake on tcp/%d: %w", port, readError(ctx, err))
		if ctx.Err() == nil {
			t.handshakes[port] = handshake{err: err}
		}
		return nil, nil, err
	}
	state := c.ConnectionState()
	t.handshakes[port] = handshake{state: &state}
	return tlsConn{c, plain}, &state, nil
}

// tlsConn closes the connection below at once: a goodbye to a device that does
// not read would take 5 seconds.
type tlsConn struct {
	*tls.Conn
	plain net.Conn
}

func (c tlsConn) Close() error { return c.plain.Close() }

// tlsConfig speaks with everything, old and weak too: we want to see what a
// device has, and send it no secret.
func tlsConfig() *tls.Config {
	cfg := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10} //nolint:gosec // see above
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		cfg.CipherSuites = append(cfg.CipherSuites, s.ID)
	}
	return cfg
}

// readError is the error of a conversation as probes see it.
func readError(ctx context.Context, err error) error {
	var notTLS tls.RecordHeaderError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrUnreadable):
		return err
	case errors.As(err, &notTLS):
		return fmt.Errorf("%w: %w: %s", ErrUnreadable, ErrNotTLS, notTLS.Msg)
	case isSilence(err):
		return ErrNoAnswer
	case isHangUp(err):
		return fmt.Errorf("%w: the device hung up", ErrUnreadable)
	default:
		// The text may hold bytes of the device.
		return fmt.Errorf("%w: %q", ErrUnreadable, strings.ToValidUTF8(err.Error(), ""))
	}
}

// ErrNotTLS means that something else than TLS answered a handshake; such
// errors wrap ErrUnreadable too.
var ErrNotTLS = errors.New("no TLS")
