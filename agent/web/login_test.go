package web

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

func TestPassword(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web-password")
	if made, err := EnsurePassword(file); !made || err != nil {
		t.Fatalf("made %v, %v", made, err)
	}
	if made, err := EnsurePassword(file); made || err != nil {
		t.Fatalf("made again: %v, %v", made, err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	first := read(t, file)
	p := newPassword(file)
	if _, ok, err := p.check("wrong"); ok || err != nil {
		t.Errorf("a wrong password: %v, %v", ok, err)
	}
	if read(t, file) != first {
		t.Error("a wrong password changed the file")
	}
	generation, ok, err := p.check(first)
	if !ok || err != nil || generation != p.current() {
		t.Fatalf("the right password: %v, %v", ok, err)
	}
	hash := read(t, file)
	if cost, err := bcrypt.Cost([]byte(hash)); cost != 12 || err != nil {
		t.Errorf("after the log-in the file holds %q", hash)
	}
	if again, ok, _ := p.check(first); !ok || again != generation {
		t.Error("the password does not fit its own hash")
	}
	if _, ok, _ := newPassword(file).check(first); !ok {
		t.Error("the password does not fit its hash after a restart")
	}
	if err := ResetPassword(file); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := p.check(first); ok || p.current() == generation {
		t.Error("the old password still fits")
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func TestPasswordFile(t *testing.T) {
	long := strings.Repeat("x", 73)
	for _, tt := range []struct{ name, text, given, want string }{
		{"as it is", "secret\n", "secret", "ok"},
		{"Windows line end", "secret\r\n", "secret", "ok"},
		{"longest", long[:72], long[:72], "ok"},
		{"longer is not cut", long[:72], long, "no"},
		{"too long", long, "x", "longer than 72 bytes"},
		{"empty", "\n", "", "must hold one line"},
		{"two lines", "a\nb\n", "a", "must hold one line"},
		{"the hash is no password", "$2a$12$AmyD/ogvf/GwofBhUI2VGOQftvv4Lvw.eLxjq72qja14dR/znpqze", "$2a$12$AmyD/ogvf/GwofBhUI2VGOQftvv4Lvw.eLxjq72qja14dR/znpqze", "no"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "p")
			if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, ok, err := newPassword(file).check(tt.given)
			got := "no"
			switch {
			case err != nil:
				got = err.Error()
			case ok:
				got = "ok"
			}
			if !strings.Contains(got, tt.want) || len(tt.want) < 3 && got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLogIn(t *testing.T) {
	f := newFixture(t, snapshot())
	away := from("192.0.2.9:9", "127.0.0.1:8686")
	if resp := f.request("GET", "/todo", away); resp.StatusCode != 401 || !strings.Contains(body(t, resp), `value="todo"`) {
		t.Errorf("without a log-in: status %d, or the way back is missing", resp.StatusCode)
	}
	cookie, token := f.logIn(t)
	if resp := f.request("GET", "/todo", away, cookie); resp.StatusCode != 200 {
		t.Errorf("with a log-in: status %d", resp.StatusCode)
	}
	if resp := f.request("POST", "/logout", away, cookie, formOf(url.Values{})); resp.StatusCode != 403 {
		t.Errorf("log-out without a token: status %d", resp.StatusCode)
	}
	if resp := f.request("POST", "/logout", away, cookie, formOf(url.Values{"token": {token}})); resp.StatusCode != 303 {
		t.Errorf("log-out: status %d", resp.StatusCode)
	}
	if resp := f.request("GET", "/todo", away, cookie); resp.StatusCode != 401 {
		t.Errorf("after the log-out: status %d", resp.StatusCode)
	}
}

func TestSessionsEnd(t *testing.T) {
	away := from("192.0.2.9:9", "127.0.0.1:8686")
	for _, tt := range []struct {
		name string
		then func(t *testing.T, f *fixture)
		want int
	}{
		{"a day later", func(_ *testing.T, f *fixture) { f.later(24 * time.Hour) }, 200},
		{"unused for eight days", func(_ *testing.T, f *fixture) { f.later(8 * 24 * time.Hour) }, 401},
		{"a new password", func(t *testing.T, f *fixture) {
			if err := ResetPassword(f.file); err != nil {
				t.Fatal(err)
			}
		}, 401},
		{"no password any more", func(t *testing.T, f *fixture) {
			if err := os.Remove(f.file); err != nil {
				t.Fatal(err)
			}
		}, 401},
		{"sixty-four others", func(_ *testing.T, f *fixture) {
			f.later(time.Hour)
			for range maxSessions {
				f.page.sessions.begin(1, f.page.now())
			}
		}, 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, snapshot())
			cookie, _ := f.logIn(t)
			tt.then(t, f)
			if resp := f.request("GET", "/", away, cookie); resp.StatusCode != tt.want {
				t.Errorf("status %d, want %d", resp.StatusCode, tt.want)
			}
		})
	}
	f := newFixture(t, snapshot())
	cookie, _ := f.logIn(t)
	for range 6 {
		f.later(6 * 24 * time.Hour)
		f.request("GET", "/", away, cookie)
	}
	if resp := f.request("GET", "/", away, cookie); resp.StatusCode != 401 {
		t.Errorf("a session that is used lasts for ever: status %d", resp.StatusCode)
	}
}

func (f *fixture) later(d time.Duration) {
	at := f.page.now().Add(d)
	f.page.now = func() time.Time { return at }
}

// TestGuessing: a hundred guesses a second, of one machine and of many, cost few
// hashes, and the page is still served.
func TestGuessing(t *testing.T) {
	for _, tt := range []struct {
		name     string
		machines int
		most     int // guesses in a minute that are looked at
	}{
		{"one machine", 1, 12},
		{"a whole network", 200, 75},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newAttempts()
			now, tried := noon, 0
			for i := range 6000 {
				now = now.Add(10 * time.Millisecond)
				peer := ip4(i % tt.machines)
				if a.allow(peer, now) == 0 {
					tried++
				}
			}
			if tried > tt.most || tried < 5 {
				t.Errorf("%d of 6000 guesses were looked at, want at most %d", tried, tt.most)
			}
		})
	}
	f := newFixture(t, snapshot())
	token := tokenOf(t, body(t, f.request("GET", "/login")))
	got := map[int]int{}
	for range 30 {
		got[f.request("POST", "/login", formOf(url.Values{"token": {token}, "password": {"guess"}})).StatusCode]++
	}
	if got[http.StatusUnauthorized] != freeAttempts || got[http.StatusTooManyRequests] != 30-freeAttempts {
		t.Errorf("statuses %v", got)
	}
	if resp := f.request("POST", "/login", formOf(url.Values{"token": {token}, "password": {goodPassword}})); resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("the right password among guesses: status %d", resp.StatusCode)
	}
	if resp := f.request("GET", "/"); resp.StatusCode != 200 {
		t.Errorf("the page is not served: status %d", resp.StatusCode)
	}
	f.later(2 * time.Minute)
	if resp := f.request("POST", "/login", formOf(url.Values{"token": {token}, "password": {goodPassword}})); resp.StatusCode != 303 {
		t.Errorf("the right password later: status %d", resp.StatusCode)
	}
}
