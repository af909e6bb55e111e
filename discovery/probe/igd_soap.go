package probe

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

// A soapClient calls actions of a device's services (UPnP Device Architecture
// 1.1, section 3) on one connection at a time, which it keeps as long as the
// device does: some close it after each answer.
type soapClient struct {
	target *prober.Target
	conn   net.Conn
	port   uint16
	opened time.Time
	limit  *io.LimitedReader
	reader *bufio.Reader
}

// soapFault is the error that a service answers with.
type soapFault struct{ code int }

func (f soapFault) Error() string { return fmt.Sprintf("UPnPError %d", f.code) }

// call calls an action at a place of the device and returns what comes back by
// name. The error is a soapFault, one of a Target, or that of readSOAP.
func (s *soapClient) call(ctx context.Context, at place, service, action string, args ...string) (map[string]string, error) {
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
	return readSOAP(answer, action)
}

// ready reports whether the connection there is can be used again.
func (s *soapClient) ready(at place) bool {
	if s.conn != nil && (s.target != at.target || s.port != at.port || time.Since(s.opened) > reuseFor) {
		s.close()
	}
	return s.conn != nil
}

func (s *soapClient) close() {
	if s.conn != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
}

func (s *soapClient) exchange(ctx context.Context, at place, action string, body []byte) (b []byte, err error) {
	if s.conn == nil {
		if s.conn, err = at.target.Dial(ctx, at.port); err != nil {
			s.conn = nil
			return nil, err
		}
		s.target, s.port, s.opened = at.target, at.port, time.Now()
		s.limit = &io.LimitedReader{R: s.conn}
		s.reader = bufio.NewReader(s.limit)
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	req := &http.Request{
		Method: http.MethodPost, Host: netip.AddrPortFrom(at.target.Addr().WithZone(""), at.port).String(),
		URL: at.url, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
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
		s.close()
	}
	// A fault comes with status 500 (section 3.1.3).
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusInternalServerError {
		return nil, fmt.Errorf("status %d: %w", resp.StatusCode, statusError(resp.StatusCode))
	}
	return b, nil
}

func statusError(status int) error {
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return soapFault{notAuthorized}
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

// place is where a service is controlled or described.
type place struct {
	target *prober.Target // at the address that is named
	port   uint16
	url    *url.URL // path and query
}

// at returns the place of a URL that a description gives.
func (d description) at(t *prober.Target, ref string) (place, error) {
	where, path, err := prober.DeviceURL(d.location, ref, t.Device().Addrs())
	if err != nil {
		return place{}, err
	}
	if t, err = t.At(where.Addr()); err != nil {
		return place{}, err
	}
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return place{}, fmt.Errorf("address %q: %w", path, prober.ErrForbidden)
	}
	return place{t, where.Port(), u}, nil
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

// readSOAP returns the arguments of the answer to an action, or the soapFault. Of
// an answer that can be read in part only, it returns the arguments before that
// place, with an error that wraps errPartly. What comes twice counts as it came
// first: a text that the device did not escape cannot replace what stands before.
func readSOAP(b []byte, action string) (map[string]string, error) {
	envelope, err := parseXML(b)
	if envelope == nil {
		return nil, err
	}
	body := envelope.child("Body")
	if fault := body.child("Fault"); fault.name != "" {
		code, err := strconv.Atoi(fault.child("detail").child("UPnPError").value("errorCode"))
		if err != nil {
			return nil, fmt.Errorf("a fault without number: %w", prober.ErrUnreadable)
		}
		return nil, soapFault{code}
	}
	answer := body.child(action + "Response")
	if answer.name == "" {
		return nil, fmt.Errorf("no answer to %s in it: %w", action, prober.ErrUnreadable)
	}
	out := map[string]string{}
	for _, c := range answer.children {
		if _, had := out[c.name]; !had && c.whole {
			out[c.name] = strings.TrimSpace(c.text)
		}
	}
	if err != nil {
		return out, fmt.Errorf("%w: %w", errPartly, err)
	}
	return out, nil
}
