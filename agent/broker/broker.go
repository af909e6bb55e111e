// Package broker is the one MQTT session of the agent, and the small MQTT
// broker that it can bring along for trying out.
//
// A Session speaks MQTT 3.1.1 through paho. It connects in its own loop, tells
// in plain words what is wrong when it cannot, subscribes again after each
// connection, hands messages to each subscriber in order, and never waits
// without a limit.
//
// It is not this package's job to know what the messages mean, nor what should
// be on the broker: package hass and the sources know that.
package broker

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
)

const (
	// MaxPayload is the largest payload, in bytes, that Subscribe hands on.
	MaxPayload = 1 << 20
	// MaxLargePayload is the largest that SubscribeMax can be asked to hand on.
	MaxLargePayload = 8 << 20

	connectTimeout = 10 * time.Second
	ackTimeout     = 30 * time.Second
	writeTimeout   = 10 * time.Second
	keepAlive      = 30 * time.Second
	retryFirst     = time.Second
	retryLast      = 30 * time.Second
	resolveAgain   = 10 * time.Second
	maxOpen        = 30_000 // messages without an answer, after which paho is started anew
	window         = 500    // messages on their way at once
)

// ErrNotConnected is returned while the broker is not there.
var ErrNotConnected = errors.New("not connected to the MQTT broker")

// Message is an MQTT message. Its payload must not be changed.
type Message struct {
	Topic    string
	Payload  []byte
	QoS      byte // 0 or 1
	Retained bool
}

// Config says how to reach the broker.
type Config struct {
	// URL is mqtt://, mqtts://, ws:// or wss:// with a host and, if it is not
	// the scheme's own (1883, 8883, 80, 443), a port. ParseURL checks it.
	URL      string
	Username string
	Password string
	ClientID string
	// Find, if not nil, looks the broker up before each first connection, and
	// again when a connection stays lost; what it returns takes the place of URL,
	// Username and Password. Its error says in plain words why there is no broker.
	Find func(ctx context.Context) (Address, error)
	// TLS is used for mqtts and wss; nil means the system's roots.
	TLS *tls.Config
	// Will is published by the broker when the session ends without a farewell,
	// and by the session itself before a clean disconnect; nil for none.
	Will *Message
	// Birth is published after each connection, before anything else; nil for none.
	Birth *Message
	// SyncTopic is the topic of Session.Sync; empty if Sync is not used. The
	// session writes a few bytes there, never retained.
	SyncTopic string
	// OnProblem is called when what State says is wrong changes; with an empty
	// text when nothing is. It must not block. Nil for nobody.
	OnProblem func(problem string)
}

// Address is where a broker is, and how to log in there; see Config.
type Address struct{ URL, Username, Password string }

// ParseURL checks the URL of a broker and adds the port of its scheme.
func ParseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		// The error of net/url quotes the whole text, password included.
		return nil, errors.New("not a URL such as mqtt://192.168.1.10")
	}
	port, ok := map[string]string{"mqtt": "1883", "mqtts": "8883", "ws": "80", "wss": "443"}[u.Scheme]
	if !ok {
		return nil, fmt.Errorf("scheme %q of %q is none of mqtt, mqtts, ws, wss", u.Scheme, u.Redacted())
	}
	if u.Hostname() == "" {
		return nil, fmt.Errorf("%q names no host", u.Redacted())
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	return u, nil
}

// options are paho's options for this configuration. The context bounds dialling.
func (c Config) options(ctx context.Context, u *url.URL) *mqtt.ClientOptions {
	target := *u
	target.User = nil // paho would prefer it to the configured name, and log it
	o := mqtt.NewClientOptions().
		AddBroker(target.String()).
		SetClientID(c.ClientID).
		SetProtocolVersion(4).
		SetCleanSession(true).
		SetConnectRetry(false).
		SetAutoReconnect(true).
		SetMaxReconnectInterval(retryLast).
		SetConnectTimeout(connectTimeout).
		SetWriteTimeout(writeTimeout).
		SetKeepAlive(keepAlive).
		SetPingTimeout(10 * time.Second).
		// With false, paho starts a goroutine for each message and their order is
		// lost. True is safe here because no subscriber runs in paho's goroutine:
		// its handler only appends to queues and never blocks.
		SetOrderMatters(true)
	o.SetStore(forgetful{})
	if c.TLS != nil {
		o.SetTLSConfig(c.TLS)
	}
	name, password := c.Username, c.Password
	if name == "" && u.User != nil {
		name = u.User.Username()
		password, _ = u.User.Password()
	}
	if name != "" {
		o.SetUsername(name).SetPassword(password)
	}
	if w := c.Will; w != nil {
		o.SetBinaryWill(w.Topic, w.Payload, w.QoS, w.Retained)
	}
	o.SetCustomOpenConnectionFn(func(u *url.URL, o mqtt.ClientOptions) (net.Conn, error) {
		return open(ctx, u, o.TLSConfig)
	})
	return o
}

// open dials the broker. It ignores proxies of the environment: a broker is in
// the home. Every connection is clipped, so that no packet takes more memory
// than the largest payload allowed.
func open(ctx context.Context, u *url.URL, conf *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	var conn net.Conn
	var err error
	switch u.Scheme {
	case "mqtt":
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
	case "mqtts":
		conn, err = (&tls.Dialer{Config: conf}).DialContext(ctx, "tcp", u.Host)
	default:
		conn, err = mqtt.NewWebsocket(u.String(), conf, connectTimeout, nil, nil)
	}
	if err != nil {
		return nil, err
	}
	return clip(conn, maxPacket), nil
}

// forgetful is a store that keeps nothing. After a reconnect paho would send
// again what a store holds: payloads that are out of date by then, twice if they
// are new, and with a data race. Who publishes is told that the connection was
// lost, and sends what is right then.
type forgetful struct{}

// Open implements mqtt.Store.
func (forgetful) Open() {}

// Put implements mqtt.Store.
func (forgetful) Put(string, packets.ControlPacket) {}

// Get implements mqtt.Store.
func (forgetful) Get(string) packets.ControlPacket { return nil }

// All implements mqtt.Store.
func (forgetful) All() []string { return nil }

// Del implements mqtt.Store.
func (forgetful) Del(string) {}

// Close implements mqtt.Store.
func (forgetful) Close() {}

// Reset implements mqtt.Store.
func (forgetful) Reset() {}

// PassingClientID is the client id of a session that is nobody's next time.
func PassingClientID(purpose string) string {
	id := make([]byte, 6)
	rand.Read(id)
	return "thingwarden-" + purpose + "-" + hex.EncodeToString(id)
}

// TrustCA returns the TLS configuration that trusts the certificates of a file in PEM
// form alone; nil, for the system's, if there is no file.
func TrustCA(file string) (*tls.Config, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%q holds no certificate in PEM form", file)
	}
	return &tls.Config{RootCAs: pool}, nil
}
