package web

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/policy"
)

var update = flag.Bool("update", false, "write the pages of testdata anew")

func TestMain(m *testing.M) {
	flag.Parse()
	time.Local = time.UTC // pages show the owner's time
	os.Exit(m.Run())
}

func testHandler(s *report.Snapshot) http.Handler {
	return New(func() *report.Snapshot { return s }, slog.New(slog.DiscardHandler))
}

// ask is what the Supervisor asks when an owner opens the page.
func ask(h http.Handler, method, path string, change ...func(*http.Request)) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	r.RemoteAddr, r.Host = "172.30.32.2:40000", "homeassistant.local:8123"
	r.Header.Set("X-Ingress-Path", "/api/hassio_ingress/token")
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPages(t *testing.T) {
	blind := snapshot()
	blind.Blind, blind.Devices, blind.LastScan = "Nothing of your home network can be seen from here: <guest>.", blind.Devices[3:4], time.Time{}
	for _, tt := range []struct {
		name, path string
		s          *report.Snapshot
	}{
		{"home", "/", snapshot()},
		{"blind", "/", blind},
		{"camera", "/device/mac_ecfabc001122", snapshot()},
		{"hostile", "/device/mac_020000000001", snapshot()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp := ask(testHandler(tt.s), "GET", tt.path)
			if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" {
				t.Fatalf("status %d, %q", resp.StatusCode, resp.Header.Get("Content-Type"))
			}
			got := body(t, resp)
			file := filepath.Join("testdata", tt.name+".golden.html")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("page (-want +got):\n%s", diff)
			}
			checkMarkup(t, got)
		})
	}
}

// checkMarkup reads a page as a browser does: only elements and attributes of
// our templates are there, and every link is relative to the page.
func checkMarkup(t *testing.T, page string) {
	t.Helper()
	elements := "html head meta title link body header footer main section article a svg path span div p b strong bdi h1 h2 h3 h4 ul li dl dt dd details summary "
	attributes := "lang charset name content rel href class viewbox width height aria-hidden d open "
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	relative := regexp.MustCompile(`^(\.\.?/)?(style\.css|device/[a-z0-9_]{1,40})?$`)
	for n := range root.Descendants() {
		if n.Type == html.TextNode && strings.ContainsFunc(n.Data, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == '\u202e' }) {
			t.Errorf("control character in %q", n.Data)
		}
		if n.Type != html.ElementNode {
			continue
		}
		if !strings.Contains(elements, n.Data+" ") {
			t.Errorf("element <%s>", n.Data)
		}
		for _, a := range n.Attr {
			if !strings.Contains(attributes, strings.ToLower(a.Key)+" ") {
				t.Errorf("attribute %s of <%s>", a.Key, n.Data)
			}
			if a.Key == "href" && !relative.MatchString(a.Val) {
				t.Errorf("link %q", a.Val)
			}
		}
	}
}

// TestHeaders: on every answer, refusals included.
func TestHeaders(t *testing.T) {
	for _, path := range []string{"/", "/style.css", "/device/hub", "/nothing"} {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			h := ask(testHandler(snapshot()), method, path).Header
			got := map[string]string{}
			for _, name := range []string{"Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy", "Cross-Origin-Resource-Policy", "Cache-Control"} {
				got[name] = h.Get(name)
			}
			want := map[string]string{
				"Content-Security-Policy":      "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
				"X-Content-Type-Options":       "nosniff",
				"X-Frame-Options":              "SAMEORIGIN",
				"Referrer-Policy":              "no-referrer",
				"Cross-Origin-Resource-Policy": "same-origin",
				"Cache-Control":                "no-store",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s %s (-want +got):\n%s", method, path, diff)
			}
		}
	}
}

func TestWhoIsAnswered(t *testing.T) {
	from := func(addr, host string) func(*http.Request) {
		return func(r *http.Request) { r.RemoteAddr, r.Host = addr, host }
	}
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Add(name, value) }
	}
	for _, tt := range []struct {
		name, method, path string
		change             []func(*http.Request)
		want               int
	}{
		{"the Supervisor", "GET", "/", nil, 200},
		{"the Supervisor, mapped into IPv6", "GET", "/", []func(*http.Request){from("[::ffff:172.30.32.2]:1", "home.example")}, 200},
		{"HEAD", "HEAD", "/", nil, 200},
		{"style sheet", "GET", "/style.css", nil, 200},
		{"the hub's page", "GET", "/device/hub", nil, 200},
		{"this machine", "GET", "/", []func(*http.Request){from("127.0.0.1:9", "127.0.0.1:8099")}, 200},
		{"this machine, by name", "GET", "/", []func(*http.Request){from("127.0.0.1:9", "localhost:8099")}, 200},
		{"this machine, IPv6", "GET", "/", []func(*http.Request){from("[::1]:9", "[::1]:8099")}, 200},

		{"another app", "GET", "/", []func(*http.Request){from("172.30.33.5:9", "homeassistant.local")}, 403},
		{"Home Assistant without the Supervisor", "GET", "/", []func(*http.Request){from("172.30.32.1:9", "homeassistant.local")}, 403},
		{"the home network", "GET", "/", []func(*http.Request){from("192.0.2.9:9", "192.0.2.2:8099")}, 403},
		{"the home network says that it is the Supervisor", "GET", "/", []func(*http.Request){from("192.0.2.9:9", "localhost"), set("X-Forwarded-For", "172.30.32.2")}, 403},
		{"no address", "GET", "/", []func(*http.Request){from("@", "localhost")}, 403},

		{"rebound name", "GET", "/", []func(*http.Request){from("127.0.0.1:9", "evil.example:8099")}, 421},
		{"name that begins well", "GET", "/", []func(*http.Request){from("127.0.0.1:9", "localhost.evil.example")}, 421},
		{"address that begins well", "GET", "/", []func(*http.Request){from("127.0.0.1:9", "127.0.0.1.evil.example")}, 421},
		{"no name", "GET", "/", []func(*http.Request){from("127.0.0.1:9", "")}, 421},
		{"no name from the Supervisor", "GET", "/", []func(*http.Request){from("172.30.32.2:9", "")}, 421},

		{"own origin", "GET", "/", []func(*http.Request){set("Origin", "http://homeassistant.local:8123")}, 200},
		{"own origin behind a proxy", "GET", "/", []func(*http.Request){set("Origin", "https://home.example"), set("X-Forwarded-Host", "home.example")}, 200},
		{"own origin with the port of the scheme", "GET", "/", []func(*http.Request){set("Origin", "https://home.example"), set("X-Forwarded-Host", "home.example:443")}, 200},
		{"another origin", "GET", "/", []func(*http.Request){set("Origin", "https://evil.example")}, 403},
		{"another port", "GET", "/", []func(*http.Request){set("Origin", "http://homeassistant.local:8124")}, 403},
		{"sandboxed origin", "GET", "/", []func(*http.Request){set("Origin", "null")}, 403},
		{"two origins", "GET", "/", []func(*http.Request){set("Origin", "http://homeassistant.local:8123"), set("Origin", "https://evil.example")}, 403},
		{"picture on another site", "GET", "/style.css", []func(*http.Request){set("Sec-Fetch-Site", "cross-site"), set("Sec-Fetch-Mode", "no-cors")}, 403},
		{"link on another site", "GET", "/", []func(*http.Request){set("Sec-Fetch-Site", "cross-site"), set("Sec-Fetch-Mode", "navigate")}, 200},

		{"POST", "POST", "/", nil, 405},
		{"PUT", "PUT", "/device/hub", nil, 405},
		{"DELETE", "DELETE", "/device/hub", nil, 405},
		{"OPTIONS", "OPTIONS", "/", nil, 405},
		{"TRACE", "TRACE", "/", nil, 405},
		{"made-up method", "GETX", "/", nil, 405},
		{"something sent along", "GET", "/", []func(*http.Request){func(r *http.Request) { r.ContentLength = 5 }}, 413},
		{"something sent in parts", "GET", "/", []func(*http.Request){func(r *http.Request) { r.ContentLength = -1 }}, 413},

		{"no such device", "GET", "/device/mac_ffffffffffff", nil, 404},
		{"no device", "GET", "/device/", nil, 404},
		{"out of the folder", "GET", "/device/../../etc/passwd", nil, 404},
		{"a template", "GET", "/page/home.html", nil, 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp := ask(testHandler(snapshot()), tt.method, tt.path, tt.change...)
			if resp.StatusCode != tt.want {
				t.Errorf("status %d, want %d: %s", resp.StatusCode, tt.want, body(t, resp))
			}
			if allow := resp.Header.Get("Allow"); (allow == "GET, HEAD") != (tt.want == 405) {
				t.Errorf("Allow %q", allow)
			}
			if tt.want != 200 && strings.Contains(body(t, resp), "camera") {
				t.Error("the refusal tells of the home")
			}
		})
	}
}

func TestHeadline(t *testing.T) {
	with := func(blind string, checked int, sevs ...policy.Severity) *report.Snapshot {
		d := report.Device{Device: discovery.Device{ID: discovery.Hub}, Checked: checked}
		for _, s := range sevs {
			d.Findings = append(d.Findings, found(telnetOpen, policy.Open, s))
		}
		return &report.Snapshot{Devices: []report.Device{d}, Blind: blind}
	}
	for _, tt := range []struct {
		name string
		s    *report.Snapshot
		want string
	}{
		{"nothing checked", with("", 0), "Nothing has been checked yet. The first results come within a minute or two."},
		{"nothing to be seen is never well", with("No network.", 1), "Nothing can be said about your home network yet."},
		{"well", with("", 1), "No weakness found in what was checked."},
		{"good to know", with("", 1, policy.Info), "No weakness found in what was checked."},
		{"mild", with("", 1, policy.Low, policy.Medium), "Nothing urgent. 2 things to improve when you have time."},
		{"one high", with("", 1, policy.Low, policy.High), "1 thing wants your attention today."},
		{"two high", with("No network.", 1, policy.High, policy.High), "2 things want your attention today."},
		{"critical", with("", 1, policy.Critical, policy.High), "1 thing to fix now."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := viewHome(tt.s).Headline; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestServe: over a real connection, until told to end.
func TestServe(t *testing.T) {
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, testHandler(snapshot()), slog.New(slog.DiscardHandler)) }()
	resp, err := http.Get("http://" + l.Addr().String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if page := body(t, resp); resp.StatusCode != 200 || !strings.Contains(page, "Porch camera") {
		t.Errorf("status %d: %.200s", resp.StatusCode, page)
	}
	large, err := http.NewRequest("GET", "http://"+l.Addr().String()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	large.Header.Set("Cookie", strings.Repeat("c", 2*maxHeader))
	if resp, err := http.DefaultClient.Do(large); err == nil {
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a large head is answered with %d", resp.StatusCode)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
}

// TestStrangers: whoever is not welcome gets no byte.
func TestStrangers(t *testing.T) {
	ours, theirs := net.Pipe() // its address is "pipe", which nobody is
	defer theirs.Close()
	g := guarded{&once{conns: []net.Conn{ours}}}
	if _, err := g.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accepted: %v", err)
	}
	if _, err := theirs.Write([]byte("GET / HTTP/1.1\r\n")); err == nil {
		t.Error("the connection is open")
	}
}

// once is a listener with a fixed number of connections.
type once struct{ conns []net.Conn }

func (o *once) Accept() (net.Conn, error) {
	if len(o.conns) == 0 {
		return nil, net.ErrClosed
	}
	c := o.conns[0]
	o.conns = o.conns[1:]
	return c, nil
}

func (*once) Close() error   { return nil }
func (*once) Addr() net.Addr { return &net.TCPAddr{} }
