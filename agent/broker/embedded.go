package broker

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"strconv"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// nextPorts is how many ports after the wanted one are tried.
const nextPorts = 100

// Embedded is a small MQTT broker for trying out: one user, retained messages
// in memory only.
type Embedded struct {
	Addr        string // where it listens, such as "127.0.0.1:1883"
	Moved       bool   // another port than the wanted one, which was taken
	Username    string
	Password    string
	Credentials string // file that holds both

	server *mochi.Server
}

// StartEmbedded starts a broker on the address listen ("host:port"), or on the
// next port that is free. Its user name and password are read from the file
// credentials, which is made with mode 0600 when there is none.
func StartEmbedded(listen, credentials string, log *slog.Logger) (*Embedded, error) {
	user, password, err := readCredentials(credentials)
	if errors.Is(err, fs.ErrNotExist) {
		user, password, err = makeCredentials(credentials)
	}
	if err != nil {
		return nil, fmt.Errorf("preparing the embedded MQTT broker: %w", err)
	}
	l, moved, err := listenNext(listen)
	if err != nil {
		return nil, fmt.Errorf("starting the embedded MQTT broker: %w", err)
	}
	limits := mochi.NewDefaultServerCapabilities()
	limits.MaximumInflight = 65535 // else a subscriber gets no more than 8,192 retained messages
	limits.MaximumClientWritesPending = 65535
	limits.MaximumMessageExpiryInterval = 0 // else retained messages vanish after a day
	limits.MaximumSessionExpiryInterval = 3600
	limits.MaximumPacketSize = maxPacket
	limits.MaximumClients = 100
	server := mochi.New(&mochi.Options{
		Capabilities:           limits,
		Logger:                 slog.New(atLeast{log.Handler(), slog.LevelError}),
		SysTopicResendInterval: 3600,
	})
	if err := errors.Join(
		server.AddHook(&oneUser{name: []byte(user), password: []byte(password)}, nil),
		server.AddListener(listeners.NewNet("tcp", l)),
		server.Serve(),
	); err != nil {
		return nil, fmt.Errorf("starting the embedded MQTT broker: %w", errors.Join(err, l.Close()))
	}
	return &Embedded{
		Addr: l.Addr().String(), Moved: moved, Username: user, Password: password, Credentials: credentials, server: server,
	}, nil
}

// oneUser lets one user in, who may do everything. mochi's own ledger of users
// would bring a second YAML library with it.
type oneUser struct {
	mochi.HookBase
	name, password []byte
}

// ID implements mochi.Hook.
func (*oneUser) ID() string { return "one-user" }

// Provides implements mochi.Hook.
func (*oneUser) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck
}

// OnConnectAuthenticate implements mochi.Hook.
func (u *oneUser) OnConnectAuthenticate(_ *mochi.Client, pk packets.Packet) bool {
	name := subtle.ConstantTimeCompare(pk.Connect.Username, u.name)
	return name&subtle.ConstantTimeCompare(pk.Connect.Password, u.password) == 1
}

// OnACLCheck implements mochi.Hook.
func (*oneUser) OnACLCheck(*mochi.Client, string, bool) bool { return true }

// URL is the broker's address for Config.URL.
func (e *Embedded) URL() string { return "mqtt://" + e.Addr }

// Close ends the broker and its connections.
func (e *Embedded) Close() error { return e.server.Close() }

func listenNext(listen string) (l net.Listener, moved bool, err error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, false, fmt.Errorf("reading the address %q: %w", listen, err)
	}
	first, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, false, fmt.Errorf("reading the address %q: port %q is no number from 0 to 65535", listen, port)
	}
	for n := first; n <= min(first+nextPorts, 65535); n++ {
		var conf net.ListenConfig
		l, e := conf.Listen(context.Background(), "tcp", net.JoinHostPort(host, strconv.FormatUint(n, 10)))
		if e == nil {
			return l, n != first, nil
		}
		if err == nil {
			err = e
		}
	}
	return nil, false, err
}

// atLeast is a slog.Handler that drops records below a level.
type atLeast struct {
	slog.Handler
	level slog.Level
}

// Enabled implements slog.Handler.
func (a atLeast) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= a.level && a.Handler.Enabled(ctx, l)
}

// WithAttrs implements slog.Handler.
func (a atLeast) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeast{a.Handler.WithAttrs(attrs), a.level}
}

// WithGroup implements slog.Handler.
func (a atLeast) WithGroup(name string) slog.Handler {
	return atLeast{a.Handler.WithGroup(name), a.level}
}
