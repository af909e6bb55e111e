package web

import (
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"
)

// maxForm is the largest form that is read, in bytes: one with every device of a
// large home.
const maxForm = 256 << 10

// place is a page of ours as "back" names it: from our first page, without a way
// to any other site.
var place = regexp.MustCompile(`^((|todo|devices|unchecked|health|device/[a-z0-9_]{1,40})(\?[a-zA-Z0-9_=&%.+-]{0,300})?)?$`)

// backTo returns the page to go back to.
func backTo(r *http.Request) string {
	if back := r.FormValue("back"); place.MatchString(back) {
		return back
	}
	return ""
}

func (p *Page) showLogin(w http.ResponseWriter, r *http.Request, v visitor) {
	p.passwordForm(w, r, v, http.StatusOK, "")
}

// passwordForm shows the form for the log-in in place of what was asked for.
func (p *Page) passwordForm(w http.ResponseWriter, r *http.Request, v visitor, status int, problem string) {
	f := bareFrame(r, "Log in")
	f.Token = p.sessions.token(v)
	f.Back = backTo(r)
	if r.Method == http.MethodGet && r.URL.Path != "/login" {
		f.Back = hereOf(r)
	}
	p.draw(w, r, status, "login.html", struct {
		frame
		Problem string
	}{f, problem})
}

func (p *Page) logIn(w http.ResponseWriter, r *http.Request, v visitor) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if !p.sessions.valid(v, r.PostFormValue("token")) {
		p.passwordForm(w, r, v, http.StatusForbidden, "The form was too old. Please try again.")
		return
	}
	if wait := p.attempts.allow(peerOf(r), p.now()); wait > 0 {
		seconds := int(math.Ceil(wait.Seconds()))
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		p.passwordForm(w, r, v, http.StatusTooManyRequests, fmt.Sprintf("Too many attempts. Wait %s, then try again.", count(seconds, "second")))
		return
	}
	generation, ok, err := p.password.check(r.PostFormValue("password"))
	switch {
	case err != nil:
		p.opt.Log.Warn("nobody can log in to the page", "err", err)
		p.passwordForm(w, r, v, http.StatusInternalServerError, "The password file cannot be used. The log says why.")
	case !ok:
		p.opt.Log.Info("wrong password for the page", "from", peerOf(r))
		p.passwordForm(w, r, v, http.StatusUnauthorized, "Wrong password.")
	default:
		p.attempts.right(peerOf(r))
		setCookie(w, r, sessionCookie, p.sessions.begin(generation, p.now()), sessionAge)
		seeOther(w, backTo(r))
	}
}

func (p *Page) logOut(w http.ResponseWriter, r *http.Request, v visitor) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if !p.sessions.valid(v, r.PostFormValue("token")) {
		p.fail(w, r, v, http.StatusForbidden, "The page was too old. Go back, reload it and try again.")
		return
	}
	p.sessions.end(v.session)
	setCookie(w, r, sessionCookie, "", -1)
	seeOther(w, "")
}

// seeOther sends the browser to a page of ours. The address is relative to that of
// a form, all of which are sent to the folder of the page.
func seeOther(w http.ResponseWriter, place string) {
	w.Header().Set("Location", "./"+place)
	w.WriteHeader(http.StatusSeeOther)
}
