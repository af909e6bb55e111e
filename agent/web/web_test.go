package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/net/html"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC // pages show the owner's time
	os.Exit(m.Run())
}

const goodPassword = "correct-horse-battery"

// fixture is a page with what it was told to do.
type fixture struct {
	page *Page
	opt  Options
	file string

	mu       sync.Mutex
	commands []report.Command
}

func newFixture(t *testing.T, s *report.Snapshot, change ...func(*Options)) *fixture {
	t.Helper()
	f := &fixture{file: filepath.Join(t.TempDir(), "web-password")}
	hash, err := bcrypt.GenerateFromPassword([]byte(goodPassword), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.file, hash, 0o600); err != nil {
		t.Fatal(err)
	}
	f.opt = Options{
		Snapshot: func() *report.Snapshot { return s }, Progress: func() (int, int) { return 3, 5 }, PasswordFile: f.file,
		Do: func(_ context.Context, c report.Command) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			if s.Device(c.Device) == nil {
				return fmt.Errorf("there is no device %q", c.Device)
			}
			f.commands = append(f.commands, c)
			return nil
		},
		Log: slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&f.opt)
	}
	f.page = New(f.opt)
	f.page.now = func() time.Time { return noon.Add(time.Minute) }
	return f
}

type edit = func(*http.Request)

func from(addr, host string) edit { return func(r *http.Request) { r.RemoteAddr, r.Host = addr, host } }

func header(name, value string) edit { return func(r *http.Request) { r.Header.Add(name, value) } }

// form makes a request a form that is sent from our own page.
func formOf(values url.Values) edit {
	return func(r *http.Request) {
		r.Body = io.NopCloser(strings.NewReader(values.Encode()))
		r.ContentLength = int64(len(values.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "http://"+r.Host)
	}
}

// request is a request from this machine.
func (f *fixture) request(method, path string, edits ...edit) *http.Response {
	return f.send(false, method, path, append([]edit{from("127.0.0.1:40000", "127.0.0.1:8686")}, edits...))
}

// requestIngress is what the Supervisor asks when an owner opens the page.
func (f *fixture) requestIngress(method, path string, edits ...edit) *http.Response {
	return f.send(true, method, path, append([]edit{
		from("172.30.32.2:40000", "homeassistant.local:8123"), header("X-Ingress-Path", "/api/hassio_ingress/token"),
	}, edits...))
}

func (f *fixture) send(ingress bool, method, path string, changes []edit) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	for _, c := range changes {
		c(r)
	}
	w := httptest.NewRecorder()
	f.page.Handler(ingress).ServeHTTP(w, r)
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

var tokenField = regexp.MustCompile(`name="token" value="([^"]+)"`)

func tokenOf(t *testing.T, page string) string {
	t.Helper()
	m := tokenField.FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no token in %.300s", page)
	}
	return m[1]
}

// logIn returns the session's cookie and a token of its forms.
func (f *fixture) logIn(t *testing.T) (cookie edit, token string) {
	t.Helper()
	resp := f.request("POST", "/login", formOf(url.Values{"token": {tokenOf(t, body(t, f.request("GET", "/login")))}, "password": {goodPassword}}))
	if resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("log-in: status %d: %s", resp.StatusCode, body(t, resp))
	}
	c := resp.Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Name != sessionCookie {
		t.Errorf("cookie %+v", c)
	}
	cookie = func(r *http.Request) { r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value}) }
	return cookie, tokenOf(t, body(t, f.request("GET", "/todo", cookie)))
}

var allPages = []string{"/", "/todo", "/todo?by=device", "/devices", "/devices?q=x&sort=address", "/unchecked", "/health", "/device/hub", "/device/mac_ecfabc001122", "/device/mac_020000000001", "/login"}

func TestPages(t *testing.T) {
	blind := snapshot()
	blind.Blind, blind.Devices, blind.LastScan = "Nothing of your home network can be seen from here: <guest>.", blind.Devices[3:4], time.Time{}
	for name, s := range map[string]*report.Snapshot{"home": snapshot(), "blind": blind, "empty": {}} {
		for _, path := range allPages {
			if name != "home" && strings.HasPrefix(path, "/device/") {
				continue
			}
			t.Run(name+path, func(t *testing.T) {
				f := newFixture(t, s)
				for who, resp := range map[string]*http.Response{"reader": f.request("GET", path), "owner": f.requestIngress("GET", path)} {
					if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" {
						t.Fatalf("%s: status %d, %q", who, resp.StatusCode, resp.Header.Get("Content-Type"))
					}
					checkMarkup(t, body(t, resp))
				}
			})
		}
	}
}

// checkMarkup reads a page as a browser does: only elements and attributes of
// our templates are there, every link is relative to the page or leads to a
// device's own address, and no script or style is in it.
func checkMarkup(t *testing.T, page string) {
	t.Helper()
	elements := strings.Fields("html head meta title link script body header footer main nav section article div form label input select option button progress table thead tbody tr th td " +
		"svg symbol use path circle rect span p b strong bdi h1 h2 h3 ul ol li dl dt dd details summary a code time")
	attributes := strings.Fields("lang charset name content rel href src defer class id viewbox width height aria-hidden aria-label aria-current aria-live role d cx cy r x y rx stroke-dasharray transform " +
		"open data-live data-root data-all tabindex method action type value placeholder maxlength autocomplete required autofocus hidden checked selected max datetime title scope target")
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	relative := regexp.MustCompile(`^(\.\.?/)?(style\.css|page\.js|icon\.svg|login(\?back=[a-zA-Z0-9_%/.=&+-]*)?|logout|do|todo|devices|unchecked|health|device/[a-z0-9_]{1,40})?(\?[a-zA-Z0-9_%/.=&+-]*)?(#[a-z0-9-]+)?$`)
	own := regexp.MustCompile(`^https?://[0-9a-f.:\[\]]+/$`)
	ids := map[string]bool{}
	for n := range root.Descendants() {
		if n.Type == html.TextNode && strings.ContainsFunc(n.Data, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == '\u202e' }) {
			t.Errorf("control character in %q", n.Data)
		}
		if n.Type != html.ElementNode {
			continue
		}
		if !slices.Contains(elements, n.Data) {
			t.Errorf("element <%s>", n.Data)
		}
		if n.Data == "script" && n.FirstChild != nil {
			t.Error("script in the page")
		}
		for _, a := range n.Attr {
			switch {
			case !slices.Contains(attributes, strings.ToLower(a.Key)):
				t.Errorf("attribute %s of <%s>", a.Key, n.Data)
			case n.Data == "use":
			case (a.Key == "href" || a.Key == "src" || a.Key == "action") && !relative.MatchString(a.Val) && !own.MatchString(a.Val) && a.Val != "#main" && !strings.Contains(a.Val, "%23"):
				t.Errorf("link %q", a.Val)
			case a.Key == "id" && ids[a.Val]:
				t.Errorf("id %q twice", a.Val)
			case a.Key == "id":
				ids[a.Val] = true
			}
		}
	}
}

// TestHeaders: on every answer, refusals included.
func TestHeaders(t *testing.T) {
	f := newFixture(t, snapshot())
	for _, path := range append([]string{"/style.css", "/page.js", "/icon.svg", "/nothing", "/api/snapshot", "/../etc"}, allPages...) {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT"} {
			h := f.request(method, path).Header
			for name, want := range map[string]string{
				"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
					"base-uri 'none'; form-action 'self'; frame-ancestors 'self'",
				"X-Content-Type-Options": "nosniff", "X-Frame-Options": "SAMEORIGIN", "Referrer-Policy": "same-origin",
				"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
			} {
				if got := h.Get(name); got != want {
					t.Errorf("%s %s: %s %q, want %q", method, path, name, got, want)
				}
			}
		}
	}
}

func TestSnapshotForPrograms(t *testing.T) {
	f := newFixture(t, snapshot(), func(o *Options) { o.Token = "token-of-a-program-1234" })
	away := from("192.0.2.77:1", "127.0.0.1:8686")
	for _, tt := range []struct {
		name   string
		change []edit
		want   int
	}{
		{"this machine", nil, 200},
		{"another machine", []edit{away}, 401},
		{"with the token", []edit{away, header("Authorization", "Bearer token-of-a-program-1234")}, 200},
		{"with another token", []edit{away, header("Authorization", "Bearer token-of-a-program-1235")}, 401},
		{"with no token", []edit{away, header("Authorization", "Bearer ")}, 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp := f.request("GET", "/api/snapshot", tt.change...)
			if resp.StatusCode != tt.want {
				t.Fatalf("status %d, want %d", resp.StatusCode, tt.want)
			}
			var got struct{ Devices []struct{ ID string } }
			if err := json.Unmarshal([]byte(body(t, resp)), &got); tt.want == 200 && (err != nil || len(got.Devices) != len(snapshot().Devices)) {
				t.Errorf("%v, %d devices", err, len(got.Devices))
			}
		})
	}
	if resp := newFixture(t, snapshot()).request("GET", "/api/snapshot", away, header("Authorization", "Bearer ")); resp.StatusCode != 401 {
		t.Errorf("without a configured token an empty one is let in: %d", resp.StatusCode)
	}
}

// TestSize: the page of a large home is small on the way.
func TestSize(t *testing.T) {
	s := large(250)
	f := newFixture(t, s)
	for _, path := range allPages[:7] {
		resp := f.requestIngress("GET", path, header("Accept-Encoding", "br, gzip"))
		b := []byte(body(t, resp))
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		whole, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes, %d compressed", path, len(whole), len(b))
		if len(b) > 80_000 {
			t.Errorf("%s has %d bytes", path, len(b))
		}
	}
}

func BenchmarkDevices(b *testing.B) {
	s := large(250)
	p := New(Options{Snapshot: func() *report.Snapshot { return s }, Log: slog.New(slog.DiscardHandler), Progress: func() (int, int) { return 0, 0 }})
	h := p.Handler(true)
	for b.Loop() {
		r := httptest.NewRequest("GET", "/devices", nil)
		r.RemoteAddr, r.Host = "172.30.32.2:40000", "homeassistant.local:8123"
		r.Header.Set("Accept-Encoding", "gzip")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}

func BenchmarkMark(b *testing.B) {
	s := large(250)
	for b.Loop() {
		markOf(s)
	}
}

// large is a home with n devices, no two alike.
func large(n int) *report.Snapshot {
	s := snapshot()
	one := s.Devices[1]
	for i := range n - len(s.Devices) {
		d := one
		d.ID = discovery.ID(fmt.Sprintf("mac_ec%010x", i*7919))
		d.Name = fmt.Sprintf("Thing %d of room %d", i, i%13)
		d.Model = fmt.Sprintf("M%d", i*31%97)
		d.IDs = []discovery.Identifier{ip(fmt.Sprintf("192.0.2.%d", i%250)), mac(fmt.Sprintf("ec%010x", i*7919))}
		s.Devices = append(s.Devices, d)
	}
	report.Titles(s.Devices)
	return s
}
