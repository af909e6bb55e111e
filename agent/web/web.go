// Package web is the page that Home Assistant shows of us (ingress): the devices
// with their findings, what was not checked and why, and whether everything
// works. It is drawn on the server from a snapshot, needs no JavaScript, loads
// nothing from elsewhere and changes nothing.
//
// It is not its job to decide anything, nor to log anyone in: Home Assistant does
// that, so only its Supervisor and this machine itself are answered (threats T20
// and T21).
package web

import (
	"bytes"
	"embed"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

//go:embed page/*.html page/style.css
var files embed.FS

// pages are drawn with html/template, which escapes by context; device text is
// cleaned before (view.go).
var pages = template.Must(template.ParseFS(files, "page/*.html"))

// supervisor is the address from which the Supervisor asks for ingress
// (developers.home-assistant.io, docs/apps/presentation: "only allow connections
// from 172.30.32.2").
var supervisor = netip.AddrFrom4([4]byte{172, 30, 32, 2})

// contentPolicy is what a browser may do with our pages: show them with our style
// sheet, inside Home Assistant only.
const contentPolicy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// New returns a handler that shows the snapshot it gets. All links are relative,
// because Home Assistant serves the page under a path of its own
// (X-Ingress-Path).
func New(snapshot func() *report.Snapshot, log *slog.Logger) http.Handler {
	return &handler{snapshot, log}
}

type handler struct {
	snapshot func() *report.Snapshot
	log      *slog.Logger
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", contentPolicy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "SAMEORIGIN")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
	if status, why := refuse(r); status != 0 {
		if status == http.StatusMethodNotAllowed {
			header.Set("Allow", "GET, HEAD")
		}
		header.Set("Connection", "close")
		http.Error(w, why, status)
		return
	}
	id, isDevice := strings.CutPrefix(r.URL.Path, "/device/")
	switch s := h.snapshot(); {
	case r.URL.Path == "/":
		h.draw(w, "home.html", viewHome(s))
	case r.URL.Path == "/style.css":
		http.ServeFileFS(w, r, files, "page/style.css")
	case isDevice && s.Device(discovery.ID(id)) != nil:
		h.draw(w, "device.html", viewDevice(s, *s.Device(discovery.ID(id))))
	default:
		http.Error(w, "There is no such page.", http.StatusNotFound)
	}
}

func (h *handler) draw(w http.ResponseWriter, name string, view any) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, view); err != nil {
		h.log.Error("drawing a page", "page", name, "err", err)
		http.Error(w, "This page can't be shown; the log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // whoever asked may have left
}

// refuse says why a request is not answered; status 0 if it is.
func refuse(r *http.Request) (status int, why string) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	switch {
	case err != nil || !welcome(peer.Addr()):
		return http.StatusForbidden, "Open this page in Home Assistant."
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return http.StatusMethodNotAllowed, "Nothing can be changed here."
	case r.ContentLength != 0:
		return http.StatusRequestEntityTooLarge, "Nothing can be sent here."
	case !fromHere(peer.Addr(), r.Host):
		return http.StatusMisdirectedRequest, "This page is not known by that name."
	case !ownOrigin(r):
		return http.StatusForbidden, "Another web site asked for this page."
	}
	return 0, ""
}

// welcome reports whether an address may connect at all.
func welcome(peer netip.Addr) bool {
	peer = peer.Unmap()
	return peer == supervisor || peer.IsLoopback()
}

// fromHere checks the Host of a request. A browser on this machine must name
// this machine, else any web site could read the page under its own name (DNS
// rebinding). The Supervisor passes on the name by which the owner calls Home
// Assistant, which can be any; it has checked who asks.
func fromHere(peer netip.Addr, host string) bool {
	u := url.URL{Host: host}
	name := u.Hostname()
	if peer.Unmap() == supervisor {
		return name != ""
	}
	addr, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && addr.IsLoopback()
}

// ownOrigin reports whether the request comes from our page, or from no page at all.
func ownOrigin(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return r.Header.Get("Sec-Fetch-Site") != "cross-site" || r.Header.Get("Sec-Fetch-Mode") == "navigate"
	}
	host := r.Host
	if forwarded := r.Header.Get("X-Forwarded-Host"); forwarded != "" {
		host = forwarded // only Home Assistant gets this far with one
	}
	u, err := url.Parse(origins[0])
	return err == nil && len(origins) == 1 && (u.Scheme == "http" || u.Scheme == "https") && sameHost(u, host)
}

// sameHost compares hosts without the port of the scheme, which browsers leave out.
func sameHost(u *url.URL, host string) bool {
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	full := func(host string) string {
		if _, _, err := net.SplitHostPort(host); err != nil {
			return net.JoinHostPort(strings.Trim(host, "[]"), port)
		}
		return host
	}
	return strings.EqualFold(full(u.Host), full(host))
}
