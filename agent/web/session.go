package web

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"sync"
	"time"
)

const (
	sessionCookie = "thingwarden_session"
	maxSessions   = 64
	sessionIdle   = 7 * 24 * time.Hour
	sessionAge    = 30 * 24 * time.Hour
)

// sessions are the log-ins, in memory only: a restart ends them.
type sessions struct {
	mu   sync.Mutex
	open map[[32]byte]*session // by hash of the id
	key  [32]byte              // of the tokens in forms
}

type session struct {
	began, used time.Time
	generation  int // of the password with which it began
}

func newSessions() *sessions {
	s := &sessions{open: map[[32]byte]*session{}}
	rand.Read(s.key[:])
	return s
}

// begin opens a session and returns its id.
func (s *sessions) begin(generation int, now time.Time) string {
	id := rand.Text() + rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) >= maxSessions {
		s.dropOldest()
	}
	s.open[sha256.Sum256([]byte(id))] = &session{began: now, used: now, generation: generation}
	return id
}

func (s *sessions) dropOldest() {
	var oldest [32]byte
	var used time.Time
	for id, x := range s.open {
		if used.IsZero() || x.used.Before(used) {
			oldest, used = id, x.used
		}
	}
	delete(s.open, oldest)
}

// use reports whether a session is open, and keeps it so.
func (s *sessions) use(id string, generation int, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	hash := sha256.Sum256([]byte(id))
	x := s.open[hash]
	if x == nil {
		return false
	}
	if x.generation != generation || now.Sub(x.used) > sessionIdle || now.Sub(x.began) > sessionAge {
		delete(s.open, hash)
		return false
	}
	x.used = now
	return true
}

func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, sha256.Sum256([]byte(id)))
}

// sessionOf returns the id of the open session that a request belongs to, or "".
func (p *Page) sessionOf(r *http.Request) string {
	c, err := r.Cookie(sessionCookie)
	if err != nil || c.Value == "" || !p.sessions.use(c.Value, p.password.current(), p.now()) {
		return ""
	}
	return c.Value
}

// setCookie sets or, with a negative age, clears a cookie. Without a path it
// belongs to the folder of the page, wherever a proxy put that.
func setCookie(w http.ResponseWriter, r *http.Request, name, value string, age time.Duration) {
	c := &http.Cookie{Name: name, Value: value, MaxAge: int(age.Seconds()), HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"}
	if age < 0 {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// token returns what a form must carry so that a change is the visitor's own wish
// and not another web site's. It looks different each time, so that compression
// gives nothing of it away (BREACH, CVE-2013-3587).
func (s *sessions) token(v visitor) string {
	want := s.secret(v)
	out := make([]byte, 2*len(want))
	pad := out[:len(want)]
	rand.Read(pad)
	subtle.XORBytes(out[len(want):], want, pad)
	return base64.RawURLEncoding.EncodeToString(out)
}

// valid reports whether a token is one of the visitor's.
func (s *sessions) valid(v visitor, token string) bool {
	want := s.secret(v)
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) != 2*len(want) {
		return false
	}
	got := make([]byte, len(want))
	subtle.XORBytes(got, b[:len(want)], b[len(want):])
	return hmac.Equal(got, want)
}

func (s *sessions) secret(v visitor) []byte {
	m := hmac.New(sha256.New, s.key[:])
	m.Write([]byte(v.session))
	if v.ingress {
		m.Write([]byte(" ingress"))
	}
	return m.Sum(nil)
}
