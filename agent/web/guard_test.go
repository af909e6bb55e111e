package web

import (
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestWhoIsAnswered: threats T20 and T21, DNS rebinding, forged hosts and origins,
// and ways out of our folder. Every refusal tells nothing of the home.
func TestWhoIsAnswered(t *testing.T) {
	other := "192.0.2.9:9"
	own := ownAddr(t)
	for _, tt := range []struct {
		name, method, path string
		change             []edit
		want               int
	}{
		{"this machine", "GET", "/", nil, 200},
		{"HEAD", "HEAD", "/", nil, 200},
		{"style sheet", "GET", "/style.css", nil, 200},
		{"the hub's page", "GET", "/device/hub", nil, 200},
		{"by name", "GET", "/", []edit{from("127.0.0.1:9", "localhost:8686")}, 200},
		{"IPv6", "GET", "/", []edit{from("[::1]:9", "[::1]:8686")}, 200},
		{"mapped into IPv6", "GET", "/", []edit{from("[::ffff:127.0.0.1]:1", "127.0.0.1:8686")}, 200},

		{"the network reads nothing without a log-in", "GET", "/", []edit{from(other, own)}, 401},
		{"nor a device", "GET", "/device/hub", []edit{from(other, own)}, 401},
		{"nor the stream", "GET", "/events", []edit{from(other, own)}, 401},
		{"this machine at its own address needs one too", "GET", "/", []edit{from("127.0.0.1:9", own)}, 401},
		{"the network may see the log-in", "GET", "/login", []edit{from(other, own)}, 200},
		{"the network says that it is this machine", "GET", "/", []edit{from(other, "localhost"), header("X-Forwarded-For", "127.0.0.1")}, 401},
		{"the network says that it is the Supervisor", "GET", "/", []edit{from(other, own), header("X-Ingress-Path", "/")}, 401},
		{"the Supervisor's address outside of its port", "GET", "/", []edit{from("172.30.32.2:9", own)}, 401},
		{"a proxy on this machine", "GET", "/", []edit{header("X-Forwarded-For", "203.0.113.9")}, 401},
		{"a proxy that says Via", "GET", "/", []edit{header("Via", "1.1 proxy")}, 401},

		{"rebound name", "GET", "/", []edit{from("127.0.0.1:9", "evil.example:8686")}, 421},
		{"name that begins well", "GET", "/", []edit{from("127.0.0.1:9", "localhost.evil.example")}, 421},
		{"address that begins well", "GET", "/", []edit{from("127.0.0.1:9", "127.0.0.1.evil.example")}, 421},
		{"address of another machine", "GET", "/", []edit{from("127.0.0.1:9", "203.0.113.7")}, 421},
		{"no name", "GET", "/", []edit{from("127.0.0.1:9", "")}, 421},
		{"rebound name sends a form", "POST", "/do", []edit{from("127.0.0.1:9", "evil.example:8686")}, 421},

		{"own origin", "GET", "/", []edit{header("Origin", "http://127.0.0.1:8686")}, 200},
		{"another origin", "GET", "/", []edit{header("Origin", "https://evil.example")}, 403},
		{"another port of this machine", "GET", "/", []edit{header("Origin", "http://127.0.0.1:3000")}, 403},
		{"sandboxed origin", "GET", "/", []edit{header("Origin", "null")}, 403},
		{"two origins", "GET", "/", []edit{header("Origin", "http://127.0.0.1:8686"), header("Origin", "https://evil.example")}, 403},
		{"origin of a file", "GET", "/", []edit{header("Origin", "file://127.0.0.1:8686")}, 403},
		{"picture on another site", "GET", "/style.css", []edit{header("Sec-Fetch-Site", "cross-site"), header("Sec-Fetch-Mode", "no-cors")}, 403},
		{"stream on another site", "GET", "/events", []edit{header("Sec-Fetch-Site", "same-site"), header("Sec-Fetch-Mode", "cors")}, 403},
		{"link on another site", "GET", "/", []edit{header("Sec-Fetch-Site", "cross-site"), header("Sec-Fetch-Mode", "navigate")}, 200},
		{"form on another site", "POST", "/do", []edit{header("Sec-Fetch-Site", "cross-site"), header("Sec-Fetch-Mode", "navigate")}, 403},

		{"POST", "POST", "/todo", nil, 405},
		{"PUT", "PUT", "/device/hub", nil, 405},
		{"DELETE", "DELETE", "/device/hub", nil, 405},
		{"OPTIONS", "OPTIONS", "/", nil, 405},
		{"TRACE", "TRACE", "/", nil, 405},
		{"change by GET", "GET", "/do?action=trust&device=hub", nil, 405},
		{"something sent along", "GET", "/", []edit{func(r *http.Request) { r.ContentLength = 5 }}, 413},
		{"something sent in parts", "GET", "/", []edit{func(r *http.Request) { r.ContentLength = -1 }}, 413},

		{"no such device", "GET", "/device/mac_ffffffffffff", nil, 404},
		{"no device", "GET", "/device/", nil, 404},
		{"out of the folder", "GET", "/device/../../etc/passwd", nil, 404},
		{"out of the folder, encoded", "GET", "/device/..%2f..%2fetc%2fpasswd", nil, 404},
		{"beside the style sheet", "GET", "/style.css/../page/overview.html", nil, 404},
		{"a template", "GET", "/page/overview.html", nil, 404},
		{"twice the root", "GET", "//evil.example/", nil, 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp := newFixture(t, snapshot()).request(tt.method, tt.path, tt.change...)
			if resp.StatusCode != tt.want {
				t.Errorf("status %d, want %d: %.200s", resp.StatusCode, tt.want, body(t, resp))
			}
			if text := body(t, resp); tt.want != 200 && (strings.Contains(text, "Porch") || strings.Contains(text, "0.1.0")) && tt.want != 404 {
				t.Error("the refusal tells of the home")
			}
		})
	}
}

// ownAddr is an address of this machine that is not of the loopback, as it stands
// in a URL.
func ownAddr(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP.String()
		}
	}
	t.Skip("this machine has no address but the loopback's")
	return ""
}

// TestIngress: at the port of ingress only the Supervisor is an owner.
func TestIngress(t *testing.T) {
	for _, tt := range []struct {
		name, method, path string
		change             []edit
		want               int
	}{
		{"the Supervisor", "GET", "/", nil, 200},
		{"the Supervisor, mapped into IPv6", "GET", "/", []edit{from("[::ffff:172.30.32.2]:1", "home.example")}, 200},
		{"own origin behind a proxy", "GET", "/", []edit{header("Origin", "https://home.example"), header("X-Forwarded-Host", "home.example")}, 200},
		{"own origin with the port of the scheme", "GET", "/", []edit{header("Origin", "https://home.example"), header("X-Forwarded-Host", "home.example:443")}, 200},
		{"another origin", "GET", "/", []edit{header("Origin", "https://evil.example")}, 403},
		{"another port", "GET", "/", []edit{header("Origin", "http://homeassistant.local:8124")}, 403},
		{"no name", "GET", "/", []edit{from("172.30.32.2:9", "")}, 421},
		{"another app", "GET", "/", []edit{from("172.30.33.5:9", "homeassistant.local")}, 403},
		{"Home Assistant without the Supervisor", "GET", "/", []edit{from("172.30.32.1:9", "homeassistant.local")}, 403},
		{"the home network", "GET", "/", []edit{from("192.0.2.9:9", "192.0.2.2:8099")}, 403},
		{"no address", "GET", "/", []edit{from("@", "localhost")}, 403},
		{"this machine reads", "GET", "/", []edit{from("127.0.0.1:9", "127.0.0.1:8099"), func(r *http.Request) { r.Header = http.Header{} }}, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if resp := newFixture(t, snapshot()).requestIngress(tt.method, tt.path, tt.change...); resp.StatusCode != tt.want {
				t.Errorf("status %d, want %d: %.200s", resp.StatusCode, tt.want, body(t, resp))
			}
		})
	}
}

// TestProxy: behind a reverse proxy of the owner's, by its name and with a log-in.
func TestProxy(t *testing.T) {
	hosts := func(o *Options) { o.Hosts = []string{"things.example.org"} }
	for _, tt := range []struct {
		name   string
		change []edit
		want   int
	}{
		{"by the proxy's name", []edit{from("127.0.0.1:9", "things.example.org")}, 401},
		{"the proxy keeps its name to itself", []edit{header("Origin", "https://things.example.org")}, 401},
		{"the proxy says nothing at all", nil, 401},
		{"another name", []edit{from("127.0.0.1:9", "evil.example")}, 421},
		{"another origin", []edit{from("127.0.0.1:9", "things.example.org"), header("Origin", "https://evil.example")}, 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if resp := newFixture(t, snapshot(), hosts).request("GET", "/", tt.change...); resp.StatusCode != tt.want {
				t.Errorf("status %d, want %d", resp.StatusCode, tt.want)
			}
		})
	}
	f := newFixture(t, snapshot(), hosts)
	cookie, _ := f.logIn(t)
	if resp := f.request("GET", "/", cookie, from("127.0.0.1:9", "things.example.org"), header("X-Forwarded-For", "203.0.113.9")); resp.StatusCode != 200 {
		t.Errorf("with a log-in: status %d", resp.StatusCode)
	}
}
