package web

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/thingwarden/thingwarden/agent/report"
)

// FuzzSession sends any cookie and form token: none that the page did not give out
// opens a session, or is a form of ours.
func FuzzSession(f *testing.F) {
	f.Add("thingwarden_session=x", "x")
	f.Add("thingwarden_session=; thingwarden_session=\"a\"", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, cookie, token string) {
		p := New(Options{Snapshot: func() *report.Snapshot { return &report.Snapshot{} }})
		p.sessions.begin(p.password.current(), p.now())
		r := httptest.NewRequest(http.MethodPost, "/do", nil)
		r.Header["Cookie"] = []string{cookie}
		if id := p.sessionOf(r); id != "" {
			t.Errorf("session %q was not given out", id)
		}
		if p.sessions.valid(visitor{}, token) {
			t.Errorf("token %q was not given out", token)
		}
		if len(p.sessions.open) != 1 {
			t.Errorf("%d sessions are open", len(p.sessions.open))
		}
	})
}
