package protocol_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/lab"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
	"github.com/thingwarden/thingwarden/discovery/protocol/http"
	"github.com/thingwarden/thingwarden/discovery/protocol/mqtt"
	"github.com/thingwarden/thingwarden/discovery/protocol/redis"
	"github.com/thingwarden/thingwarden/discovery/protocol/telnet"
)

// observeHost runs a probe on the hub of a lab against a host, and compares what the
// Prober counted with what the host's network saw.
func observeHost(t *testing.T, l *lab.Lab, h *lab.Host, p *prober.Probe) string {
	t.Helper()
	seen := h.Capture(t)
	mac, _ := discovery.MAC(h.MAC().String())
	d := discovery.Device{ID: discovery.ID("mac_" + mac.Value), IDs: []discovery.Identifier{mac, discovery.IP(h.IP())}}
	got := probertest.Observe(probertest.Question{Probe: p, Device: d, LAN: lab.LAN0.IPv4, Touch: prober.Read, Dial: func(ctx context.Context, to netip.AddrPort) (c net.Conn, err error) {
		l.Hub().Do(func() { c, err = prober.NetDial(ctx, to) })
		return c, err
	}})
	counted := regexp.MustCompile(`connections (\d+)`).FindStringSubmatch(got)
	n, _ := strconv.Atoi(counted[1])
	lab.WaitFor(t, 20*time.Second, "the connections on the wire", func() bool { return seen.Connections() >= n })
	if on := seen.Connections(); on != n {
		t.Errorf("%d connections on the wire, %d counted", on, n)
	}
	return got
}

func TestTelnetInTheLab(t *testing.T) {
	l := lab.New(t)
	open, clean := l.Host("open"), l.Host("clean")
	open.Telnetd(t, 23)
	for _, tt := range []struct {
		host *lab.Host
		want string
	}{
		{open, "telnet.banner ? not-told\ntelnet.open = true | tcp/23: Telnet commands (IAC)\ntelnet.port = 23 | tcp/23: Telnet commands (IAC)\nservice tcp/23 telnet\nconnections 1\n"},
		{clean, "telnet.banner ? refused\ntelnet.open = false | tcp/23, tcp/2323 refused\ntelnet.port ? refused\nconnections 2\n"},
	} {
		t.Run(tt.host.Name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, observeHost(t, l, tt.host, telnet.Probe)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestHTTPInTheLab(t *testing.T) {
	l := lab.New(t)
	cam := l.Host("cam")
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	users := write("users", "admin:secret\n")
	conf := write("lighttpd.conf", fmt.Sprintf(`
server.modules = ("mod_auth", "mod_authn_file")
server.document-root = %q
server.port = 80
auth.backend = "plain"
auth.backend.plain.userfile = %q
auth.require = ("/" => ("method" => "basic", "realm" => "Porch camera", "require" => "valid-user"))
`, dir, users))
	cam.Start(t, "lighttpd", "-D", "-f", conf)
	lab.WaitFor(t, 20*time.Second, "lighttpd", func() bool {
		c, err := l.Hub().Dial("tcp", netip.AddrPortFrom(cam.IP(), 80).String())
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	got := observeHost(t, l, cam, http.Probe)
	got = regexp.MustCompile(`lighttpd/[\d.]+`).ReplaceAllString(got, "lighttpd")
	want := `http.basic_clear = true | tcp/80: 401 Basic realm="Porch camera"
http.generator ? not-told
http.open = true | tcp/80: 401 Basic realm="Porch camera"
http.password_form_clear = false | tcp/80: 401 Basic realm="Porch camera"; tcp/8080 refused
http.realm = Porch camera | tcp/80: Porch camera
http.redirects_to_tls = false | tcp/80: 401 Basic realm="Porch camera"
http.server = lighttpd | tcp/80: lighttpd
http.settings_open = false | tcp/80: 401 Basic realm="Porch camera"; tcp/8080 refused
http.title = 401 Unauthorized | tcp/80: 401 Unauthorized
http.tls = false | tcp/443 refused; tcp/8443 refused
tls.issuer ? refused
tls.keys = [] | tcp/443 refused; tcp/8443 refused
tls.subject ? refused
service tcp/80 http
connections 4
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMQTTInTheLab(t *testing.T) {
	l := lab.New(t)
	open, shut, clean := l.Host("open"), l.Host("shut"), l.Host("clean")
	anyone := open.Mosquitto(t, lab.MosquittoConfig{})
	shut.Mosquitto(t, lab.MosquittoConfig{Username: "home", Password: "correct horse"})
	for _, tt := range []struct {
		host *lab.Host
		want string
	}{
		{open, "mqtt.anonymous = true | tcp/1883: CONNACK 20020000\nmqtt.open = true | tcp/1883: CONNACK 20020000\nservice tcp/1883 mqtt\nconnections 1\n"},
		{shut, "mqtt.anonymous = false | tcp/1883: CONNACK 20020005\nmqtt.open = true | tcp/1883: CONNACK 20020005\nservice tcp/1883 mqtt\nconnections 1\n"},
		{clean, "mqtt.anonymous ? refused\nmqtt.open = false | tcp/1883 refused\nconnections 1\n"},
	} {
		t.Run(tt.host.Name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, observeHost(t, l, tt.host, mqtt.Probe)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	// The broker saw a client that said goodbye, and no subscription.
	anyone.WaitOutput(t, 20*time.Second, "Received DISCONNECT from thingwarden")
	for _, never := range []string{"SUBSCRIBE", "PUBLISH"} {
		if out := anyone.Output(); strings.Contains(out, never) {
			t.Errorf("the broker saw %s:\n%s", never, out)
		}
	}
}

func TestRedisInTheLab(t *testing.T) {
	l := lab.New(t)
	open, shut, local, clean := l.Host("open"), l.Host("shut"), l.Host("local"), l.Host("clean")
	for h, args := range map[*lab.Host][]string{
		open:  {"--protected-mode", "no"},
		shut:  {"--requirepass", "correct horse"},
		local: {"--protected-mode", "yes"},
	} {
		h.Start(t, "redis-server", append([]string{"--port", "6379", "--bind", "0.0.0.0", "--save", "", "--dir", t.TempDir()}, args...)...)
		lab.WaitFor(t, 20*time.Second, "redis-server", func() bool {
			c, err := l.Hub().Dial("tcp", netip.AddrPortFrom(h.IP(), 6379).String())
			if err == nil {
				_ = c.Close()
			}
			return err == nil
		})
	}
	for _, tt := range []struct {
		host *lab.Host
		want string
	}{
		{open, "redis.anonymous = true | tcp/6379: +PONG\nredis.open = true | tcp/6379: +PONG\nservice tcp/6379 redis\nconnections 1\n"},
		{shut, "redis.anonymous = false | tcp/6379: -NOAUTH\nredis.open = true | tcp/6379: -NOAUTH\nservice tcp/6379 redis\nconnections 1\n"},
		{local, "redis.anonymous = false | tcp/6379: -DENIED\nredis.open = true | tcp/6379: -DENIED\nservice tcp/6379 redis\nconnections 1\n"},
		{clean, "redis.anonymous ? refused\nredis.open = false | tcp/6379 refused\nconnections 1\n"},
	} {
		t.Run(tt.host.Name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, observeHost(t, l, tt.host, redis.Probe)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
