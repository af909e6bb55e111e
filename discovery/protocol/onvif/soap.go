package onvif

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/thingwarden/thingwarden/discovery/internal/upnp"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// maxAnswer is the most that is read of an answer, in bytes.
const maxAnswer = 64 << 10

// fault is what a device answers in place of what was asked for.
type fault struct {
	refused bool // it wants a log-in
	said    string
}

func (f fault) Error() string { return f.said }

// call calls an action of a service (SOAP 1.2) and returns what comes back. The error
// is a fault or one of a Target. Service, action and arguments are ours but for a
// token, which firstToken has checked.
func call(ctx context.Context, t *prober.Target, port uint16, path, service, action, args string) (*upnp.Element, error) {
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return nil, fmt.Errorf("path %q: %w", path, prober.ErrForbidden)
	}
	c, err := t.Dial(ctx, port)
	if err != nil {
		return nil, err
	}
	defer c.Close() //nolint:errcheck // nothing can be done about it
	body := `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>` +
		`<u:` + action + ` xmlns:u="` + service + `">` + args + `</u:` + action + `></s:Body></s:Envelope>`
	req := &http.Request{
		Method: http.MethodPost, URL: u, Host: netip.AddrPortFrom(t.Addr().WithZone(""), port).String(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Close: true,
		Header: http.Header{
			"User-Agent":   {"Thingwarden"},
			"Content-Type": {`application/soap+xml; charset=utf-8; action="` + service + "/" + action + `"`},
		},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
	if err := req.Write(c); err != nil {
		return nil, fmt.Errorf("%w: %w", prober.ErrUnreadable, err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(c, maxAnswer)), req)
	if err != nil {
		return nil, fmt.Errorf("%w: the answer to %s", prober.ErrUnreadable, action)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: the answer to %s", prober.ErrUnreadable, action)
	}
	return readAnswer(resp.StatusCode, b, action)
}

// errNotHere means that there is no such page, so that the device speaks no ONVIF there.
var errNotHere = fmt.Errorf("no such page: %w", prober.ErrUnreadable)

// readAnswer returns the response to an action. A fault comes with status 400 or 500,
// or with another; one that wants a log-in as ter:NotAuthorized or as status 401
// (ONVIF Core Specification, section 5.11.2).
func readAnswer(status int, b []byte, action string) (*upnp.Element, error) {
	if status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status == http.StatusNotImplemented {
		return nil, errNotHere
	}
	envelope, err := upnp.ParseXML(b)
	if err != nil {
		if status == http.StatusUnauthorized {
			return nil, fault{true, "401"}
		}
		return nil, err
	}
	body := envelope.Child("Body")
	if reply := body.Child(action + "Response"); reply.Name != "" && status == http.StatusOK {
		return reply, nil
	}
	if f := body.Child("Fault"); f.Name != "" {
		code := f.Child("Code")
		said := code.Child("Subcode").Value("Value")
		if inner := code.Child("Subcode").Child("Subcode").Value("Value"); inner != "" {
			said = inner
		}
		refused := status == http.StatusUnauthorized || strings.HasSuffix(said, ":NotAuthorized") || strings.HasSuffix(said, ":FailedAuthentication")
		if said == "" {
			said = fmt.Sprintf("status %d", status)
		}
		return nil, fault{refused, said}
	}
	if status == http.StatusUnauthorized {
		return nil, fault{true, "401"}
	}
	return nil, fmt.Errorf("no answer to %s: %w", action, prober.ErrUnreadable)
}
