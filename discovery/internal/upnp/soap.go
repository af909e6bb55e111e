package upnp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery/prober"
)

const (
	// maxSOAP is the longest answer, in bytes, header included.
	maxSOAP = 64 << 10
	// reuseFor is how long a connection is used for the next question: a Target
	// ends each after 5 seconds.
	reuseFor = 2 * time.Second
)

// A Client calls actions of a device's services (UPnP Device Architecture
// 1.1, section 3) on one connection at a time, which it keeps as long as the
// device does: some close it after each answer.
type Client struct {
	target *prober.Target
	conn   net.Conn
	port   uint16
	opened time.Time
	limit  *io.LimitedReader
	reader *bufio.Reader
}

// Fault is the error that a service answers with.
type Fault struct{ Code int }

// NotAuthorized is the error number of a service that lets only those call it who
// have logged in (UPnP Device Architecture 1.1, table 3-3).
const NotAuthorized = 606

func (f Fault) Error() string { return fmt.Sprintf("UPnPError %d", f.Code) }

// Call calls an action at a place of the device and returns what comes back by
// name. The error is a Fault, one of a Target, or that of ReadSOAP.
func (s *Client) Call(ctx context.Context, at Place, service, action string, args ...string) (map[string]string, error) {
	body := soapRequest(service, action, args)
	reused := s.ready(at)
	answer, err := s.exchange(ctx, at, service+"#"+action, body)
	if err != nil && reused && isDropped(err) {
		// The device had closed it in the meantime (RFC 9110 section 9.3.1 and
		// 9.2.2: what only reads may be asked again).
		answer, err = s.exchange(ctx, at, service+"#"+action, body)
	}
	if err != nil {
		return nil, err
	}
	return ReadSOAP(answer, action)
}

// ready reports whether the connection there is can be used again.
func (s *Client) ready(at Place) bool {
	if s.conn != nil && (s.target != at.Target || s.port != at.Port || time.Since(s.opened) > reuseFor) {
		s.Close()
	}
	return s.conn != nil
}

// Close closes the connection that is kept for the next call, if there is one.
func (s *Client) Close() {
	if s.conn != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
}

func (s *Client) exchange(ctx context.Context, at Place, action string, body []byte) (b []byte, err error) {
	if s.conn == nil {
		if s.conn, err = at.Target.Dial(ctx, at.Port); err != nil {
			s.conn = nil
			return nil, err
		}
		s.target, s.port, s.opened = at.Target, at.Port, time.Now()
		s.limit = &io.LimitedReader{R: s.conn}
		s.reader = bufio.NewReader(s.limit)
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	req := &http.Request{
		Method: http.MethodPost, Host: netip.AddrPortFrom(at.Target.Addr().WithZone(""), at.Port).String(),
		URL: at.URL, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			"User-Agent": {"Thingwarden"}, "Content-Type": {`text/xml; charset="utf-8"`}, "Soapaction": {strconv.Quote(action)},
		},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
	if err := req.Write(s.conn); err != nil {
		return nil, soapError(ctx, err)
	}
	s.limit.N = maxSOAP
	resp, err := http.ReadResponse(s.reader, req)
	if err != nil {
		return nil, soapError(ctx, err)
	}
	if b, err = io.ReadAll(resp.Body); err != nil {
		return nil, soapError(ctx, err)
	}
	if s.limit.N <= 0 {
		return nil, fmt.Errorf("answer of more than %d bytes: %w", maxSOAP, prober.ErrUnreadable)
	}
	if resp.Close {
		s.Close()
	}
	// A fault comes with status 500 (section 3.1.3).
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusInternalServerError {
		return nil, fmt.Errorf("status %d: %w", resp.StatusCode, statusError(resp.StatusCode))
	}
	return b, nil
}

func statusError(status int) error {
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return Fault{NotAuthorized}
	}
	return prober.ErrUnreadable
}

// errDropped means that the device closed the connection before it answered.
var errDropped = errors.New("the device hung up")

func isDropped(err error) bool { return errors.Is(err, errDropped) }

// soapError is the error of a conversation as a Target has it.
func soapError(ctx context.Context, err error) error {
	var timeout net.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &timeout) && timeout.Timeout():
		return prober.ErrNoAnswer
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), isReset(err):
		return fmt.Errorf("%w: %w", prober.ErrUnreadable, errDropped)
	default:
		return fmt.Errorf("%w: %q", prober.ErrUnreadable, strings.ToValidUTF8(err.Error(), ""))
	}
}

// isReset reports whether a connection was cut; the error's text is the same on
// all systems only in that it is one of the network's.
func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) || errors.Is(err, io.ErrClosedPipe)
}

// Place is where a service is controlled or described.
type Place struct {
	Target *prober.Target // at the address that is named
	Port   uint16
	URL    *url.URL // path and query
}

// At returns the place of a URL that a description gives.
func (d Description) At(t *prober.Target, ref string) (Place, error) {
	where, path, err := prober.DeviceURL(d.location, ref, t.Device().Addrs())
	if err != nil {
		return Place{}, err
	}
	if t, err = t.At(where.Addr()); err != nil {
		return Place{}, err
	}
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return Place{}, fmt.Errorf("address %q: %w", path, prober.ErrForbidden)
	}
	return Place{t, where.Port(), u}, nil
}

// soapRequest writes the call of an action with arguments in pairs of name and
// value. Names and the service's type are ours; nothing of a device is in it.
func soapRequest(service, action string, args []string) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>`)
	fmt.Fprintf(&b, `<u:%s xmlns:u="%s">`, action, service)
	for i := 0; i+1 < len(args); i += 2 {
		fmt.Fprintf(&b, "<%s>", args[i])
		_ = xml.EscapeText(&b, []byte(args[i+1])) // writing to memory
		fmt.Fprintf(&b, "</%s>", args[i])
	}
	fmt.Fprintf(&b, `</u:%s></s:Body></s:Envelope>`, action)
	return b.Bytes()
}

// errPartly means that an answer could be read up to a place, which is in it.
var errPartly = errors.New("read in part")

// ReadSOAP returns the arguments of the answer to an action, or the Fault. Of
// an answer that can be read in part only, it returns the arguments before that
// place, with an error that wraps errPartly. What comes twice counts as it came
// first: a text that the device did not escape cannot replace what stands before.
func ReadSOAP(b []byte, action string) (map[string]string, error) {
	envelope, err := ParseXML(b)
	if envelope == nil {
		return nil, err
	}
	body := envelope.Child("Body")
	if fault := body.Child("Fault"); fault.Name != "" {
		code, err := strconv.Atoi(fault.Child("detail").Child("UPnPError").Value("errorCode"))
		if err != nil {
			return nil, fmt.Errorf("a fault without number: %w", prober.ErrUnreadable)
		}
		return nil, Fault{code}
	}
	answer := body.Child(action + "Response")
	if answer.Name == "" {
		return nil, fmt.Errorf("no answer to %s in it: %w", action, prober.ErrUnreadable)
	}
	out := map[string]string{}
	for _, c := range answer.Children {
		if _, had := out[c.Name]; !had && c.Whole {
			out[c.Name] = strings.TrimSpace(c.Text)
		}
	}
	if err != nil {
		return out, fmt.Errorf("%w: %w", errPartly, err)
	}
	return out, nil
}
