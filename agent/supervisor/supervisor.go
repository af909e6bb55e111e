// Package supervisor asks the Supervisor of Home Assistant what an app (formerly
// add-on) may know: where the MQTT broker is, and where the app's own page is to
// be served.
//
// It only reads, and asks when it is told to: it is not its job to wait, to try
// again or to connect anywhere. The paths are those of the Supervisor's API,
// version 1 (developers.home-assistant.io, docs/api/supervisor/endpoints).
package supervisor

import (
	"bytes"
	"context"
	"encoding/json"
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
	"unicode"
)

const (
	// DefaultURL is where an app finds its Supervisor.
	DefaultURL = "http://supervisor"
	// TokenVariable is the environment variable in which it gives each app a token.
	TokenVariable = "SUPERVISOR_TOKEN"

	maxAnswer = 64 << 10
	timeout   = 10 * time.Second
)

// The errors that an owner can do something about.
var (
	// ErrNoBroker says that no app offers an MQTT broker, or none is running.
	ErrNoBroker = errors.New("no MQTT broker is known to Home Assistant yet: install and start the app “Mosquitto broker”, or name your own broker in this app's options (mqtt: url, username, password)")
	// ErrRefused says that the Supervisor does not accept our token or right.
	ErrRefused = errors.New("the Supervisor of Home Assistant refused to tell; restart this app")
)

// Client asks one Supervisor. Its methods may be called from any goroutine.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// New returns a client for the Supervisor at base, usually DefaultURL.
func New(base, token string) *Client {
	return &Client{base: strings.TrimSuffix(base, "/"), token: token, http: &http.Client{
		Timeout:   timeout,
		Transport: &http.Transport{Proxy: nil, MaxIdleConns: 1, IdleConnTimeout: timeout, DisableCompression: true},
		// The token must go nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Broker is an MQTT broker and how to log in there.
type Broker struct {
	URL      string // mqtt:// or mqtts:// with host and port
	Username string
	Password string
}

// Broker returns the MQTT broker of Home Assistant. The error is ErrNoBroker
// while there is none.
func (c *Client) Broker(ctx context.Context) (Broker, error) {
	var data struct {
		Host     string `json:"host"`
		Port     port   `json:"port"`
		Username string `json:"username"`
		Password string `json:"password"`
		SSL      bool   `json:"ssl"`
	}
	if err := c.get(ctx, "/services/mqtt", &data); err != nil {
		if answer, ok := errors.AsType[*refusal](err); ok && (answer.status == http.StatusBadRequest || answer.status == http.StatusOK) {
			return Broker{}, ErrNoBroker // "Service not enabled"
		}
		return Broker{}, fmt.Errorf("asking for the MQTT broker: %w", err)
	}
	if data.Host == "" || strings.ContainsFunc(data.Host, notInHost) {
		return Broker{}, fmt.Errorf("asking for the MQTT broker: the Supervisor names the host %q", data.Host)
	}
	u := url.URL{Scheme: "mqtt", Host: net.JoinHostPort(data.Host, strconv.Itoa(int(data.Port)))}
	if data.SSL {
		u.Scheme = "mqtts"
	}
	return Broker{URL: u.String(), Username: data.Username, Password: data.Password}, nil
}

// notInHost reports what is part of neither a name nor an address.
func notInHost(r rune) bool {
	return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.:", r)
}

// HomeAssistant returns where an app reaches Home Assistant's WebSocket, and with
// which token (docs/api/supervisor of developers.home-assistant.io; the app's
// configuration must ask for homeassistant_api). It asks nothing.
func (c *Client) HomeAssistant() (socket, token string) {
	return "ws" + strings.TrimPrefix(c.base, "http") + "/core/websocket", c.token
}

// Self is how the Supervisor runs this app.
type Self struct {
	HostNetwork bool
	// Address is the app's own in the network of the apps; with HostNetwork that
	// of the host there, which devices of the home do not reach.
	Address     netip.Addr
	IngressPort int
	// Slug is the name by which this Home Assistant knows the app, [a-z0-9_]+.
	Slug string
}

// Self returns how the Supervisor runs this app.
func (c *Client) Self(ctx context.Context) (Self, error) {
	var data struct {
		HostNetwork bool       `json:"host_network"`
		Address     netip.Addr `json:"ip_address"`
		IngressPort port       `json:"ingress_port"`
		Slug        string     `json:"slug"`
	}
	if err := c.get(ctx, "/addons/self/info", &data); err != nil {
		return Self{}, fmt.Errorf("asking how this app runs: %w", err)
	}
	if data.Slug == "" || strings.ContainsFunc(data.Slug, notInSlug) {
		return Self{}, fmt.Errorf("asking how this app runs: the Supervisor calls it %q", data.Slug)
	}
	return Self{data.HostNetwork, data.Address, int(data.IngressPort), data.Slug}, nil
}

func notInSlug(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' }

// port is a TCP port that some apps give as a number and some as a text.
type port int

// UnmarshalJSON reads 1883 and "1883".
func (p *port) UnmarshalJSON(b []byte) error {
	text := string(bytes.Trim(b, `"`))
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("port %q is not from 1 to 65535", text)
	}
	*p = port(n)
	return nil
}

// refusal is an answer of the Supervisor that says no.
type refusal struct {
	status  int
	message string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("the Supervisor answered %d %q", r.status, r.message)
}

// get asks for a path and reads what is under "data" of the answer.
func (c *Client) get(ctx context.Context, path string, data any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("the Supervisor can't be reached: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("the Supervisor's answer: %w", err)
	}
	if len(body) > maxAnswer {
		return fmt.Errorf("the Supervisor's answer is larger than %d bytes", maxAnswer)
	}
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		return ErrRefused
	}
	var answer struct {
		Result  string          `json:"result"`
		Message string          `json:"message"`
		Data    json.RawMessage `json:"data"`
	}
	err = json.Unmarshal(body, &answer)
	if resp.StatusCode != http.StatusOK || err == nil && answer.Result != "ok" {
		return &refusal{resp.StatusCode, answer.Message}
	}
	if err == nil {
		err = json.Unmarshal(answer.Data, data)
	}
	if err != nil {
		// The error quotes no more than a character or a port: no secret.
		return fmt.Errorf("the Supervisor's answer can't be read: %w", err)
	}
	return nil
}
