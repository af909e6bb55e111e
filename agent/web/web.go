// Package web is the page: what to do first, the devices with their findings,
// what was not checked and why, and whether everything works. It is drawn on the
// server from a snapshot and loads nothing from elsewhere. Without a script it
// shows and does everything; with its one script it keeps itself current.
//
// What the owner decides here becomes a Command that package agent carries out.
// It is not this package's job to judge, nor to remember decisions.
package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

//go:embed page/*.html page/style.css page/page.js page/icon.svg
var files embed.FS

// pages are drawn with html/template, which escapes by context; device text is
// cleaned before (text.go).
var pages = template.Must(template.ParseFS(files, "page/*.html"))

// contentPolicy is what a browser may do with our pages: show them with our own
// style sheet and script, alone or inside Home Assistant.
const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'self'"

// Options are what a Page is made of. Snapshot, Do, Progress and Log are required.
type Options struct {
	// Snapshot returns the newest snapshot.
	Snapshot func() *report.Snapshot
	// Do carries out a decision of the owner; nil means that it is on disk.
	Do func(context.Context, report.Command) error
	// Progress returns how many devices of the current pass are done, of how many.
	Progress func() (done, total int)
	// Dashboard makes a dashboard for Home Assistant; nil: none is offered.
	Dashboard func(*report.Snapshot) ([]byte, error)
	// PasswordFile holds the password, see EnsurePassword.
	PasswordFile string
	// Token lets a program read /api/snapshot; empty: none does.
	Token string
	// Hosts are further names under which the page is reached. If there is any,
	// requests may come from anywhere through a proxy on this machine, so that
	// reading needs a log-in.
	Hosts []string
	Log   *slog.Logger
}

// Page serves the page. It works only while somebody looks.
type Page struct {
	opt      Options
	password *password
	sessions *sessions
	attempts *attempts
	live     *live
	forms    chan struct{} // a place a form that is being read
	now      func() time.Time
}

// maxForms is how many forms are read at a time: one that never comes to its end
// holds its place for seconds.
const maxForms = 32

// New returns a page.
func New(o Options) *Page {
	return &Page{
		opt: o, password: newPassword(o.PasswordFile), sessions: newSessions(), attempts: newAttempts(), live: newLive(o.Snapshot),
		forms: make(chan struct{}, maxForms), now: time.Now,
	}
}

// Handler answers requests. All links in what it shows are relative, because the
// page may stand under a path of its own: in Home Assistant (X-Ingress-Path) or
// behind a proxy. With ingress, requests from the Supervisor's address are those of
// an owner who is logged in to Home Assistant.
func (p *Page) Handler(ingress bool) http.Handler {
	mux := http.NewServeMux()
	read := func(show func(http.ResponseWriter, *http.Request, visitor)) http.HandlerFunc {
		return p.visit(ingress, func(w http.ResponseWriter, r *http.Request, v visitor) {
			if !v.reads {
				p.passwordForm(w, r, v, http.StatusUnauthorized, "")
				return
			}
			show(w, r, v)
		})
	}
	mux.HandleFunc("GET /{$}", read(p.showOverview))
	mux.HandleFunc("GET /todo", read(p.showToDo))
	mux.HandleFunc("GET /devices", read(p.showDevices))
	mux.HandleFunc("GET /unchecked", read(p.showUnchecked))
	mux.HandleFunc("GET /health", read(p.showHealth))
	mux.HandleFunc("GET /device/{id}", read(p.showDevice))
	mux.HandleFunc("GET /dashboard.yaml", read(p.writeDashboard))
	mux.HandleFunc("GET /events", p.visit(ingress, p.stream))
	mux.HandleFunc("GET /api/snapshot", p.visit(ingress, p.writeSnapshot))
	mux.HandleFunc("GET /login", p.visit(ingress, p.showLogin))
	mux.HandleFunc("POST /login", p.visit(ingress, p.logIn))
	mux.HandleFunc("POST /logout", p.visit(ingress, p.logOut))
	mux.HandleFunc("POST /do", p.visit(ingress, p.decide))
	for _, name := range []string{"style.css", "page.js", "icon.svg"} {
		mux.HandleFunc("GET /"+name, p.visit(ingress, func(w http.ResponseWriter, r *http.Request, _ visitor) {
			http.ServeFileFS(w, r, files, "page/"+name)
		}))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w.Header())
		status, why := p.refuse(r, ingress)
		if clean := path.Clean(r.URL.Path); status == 0 && clean != r.URL.Path {
			status, why = http.StatusNotFound, "There is no such page."
		}
		if status != 0 {
			turnAway(w, status, why)
			return
		}
		if r.Method == http.MethodPost {
			select {
			case p.forms <- struct{}{}:
				defer func() { <-p.forms }()
			default:
				turnAway(w, http.StatusServiceUnavailable, "Too many forms at once. Please try again.")
				return
			}
		}
		mux.ServeHTTP(w, r)
	})
}

// turnAway refuses a request and ends its connection, without waiting for what of
// the request has not come yet.
func turnAway(w http.ResponseWriter, status int, why string) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now()) // not every writer of a test can
	w.Header().Set("Connection", "close")
	http.Error(w, why, status)
}

// visit finds out who asks.
func (p *Page) visit(ingress bool, show func(http.ResponseWriter, *http.Request, visitor)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { show(w, r, p.visitor(r, ingress)) }
}

// setHeaders is done for every answer, refusals included.
func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer, browsers hide the origin of forms
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// draw answers with a page.
func (p *Page) draw(w http.ResponseWriter, r *http.Request, status int, name string, view any) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, view); err != nil {
		p.opt.Log.Error("drawing a page", "page", name, "err", err)
		http.Error(w, "This page cannot be shown. The log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.WriteHeader(status)
		_, _ = w.Write(b.Bytes()) // whoever asked may have left
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Add("Vary", "Accept-Encoding")
	w.WriteHeader(status)
	z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
	_, _ = z.Write(b.Bytes())
	_ = z.Close()
}

// fail says on a page of its own why something was not done.
func (p *Page) fail(w http.ResponseWriter, r *http.Request, v visitor, status int, why string) {
	f := p.frame(r, v, "", "Not done")
	p.draw(w, r, status, "problem.html", struct {
		frame
		Problem string
	}{f, why})
}

func (p *Page) showDevice(w http.ResponseWriter, r *http.Request, v visitor) {
	f := p.frame(r, v, "devices", "")
	d := f.snapshot.Device(discovery.ID(r.PathValue("id")))
	if d == nil {
		p.fail(w, r, v, http.StatusNotFound, "There is no such device. It may have been forgotten, or it is known under another id by now.")
		return
	}
	p.draw(w, r, http.StatusOK, "device.html", viewDevice(f, *d))
}

// writeDashboard offers the dashboard of this home as a file.
func (p *Page) writeDashboard(w http.ResponseWriter, r *http.Request, v visitor) {
	if p.opt.Dashboard == nil {
		p.fail(w, r, v, http.StatusNotFound, "There is no such page.")
		return
	}
	b, err := p.opt.Dashboard(p.opt.Snapshot())
	if err != nil {
		p.opt.Log.Error("making the dashboard", "err", err)
		p.fail(w, r, v, http.StatusInternalServerError, "The dashboard cannot be made. The log says why.")
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(b) // whoever asked may have left
}

// writeSnapshot answers programs, in the form of `thingwarden scan --format json`.
func (p *Page) writeSnapshot(w http.ResponseWriter, r *http.Request, v visitor) {
	if !v.reads && !p.hasToken(r) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "Log in, or send the token of web.token_file.", http.StatusUnauthorized)
		return
	}
	s := p.opt.Snapshot()
	w.Header().Set("Content-Type", "application/json")
	if err := report.WriteJSON(w, s, s.At, s.At); err != nil {
		p.opt.Log.Debug("the snapshot was not sent whole", "err", err)
	}
}
