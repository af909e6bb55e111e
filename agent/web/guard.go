package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// supervisor is the address from which the Supervisor asks for ingress
// (developers.home-assistant.io, docs/apps/presentation: "only allow connections
// from 172.30.32.2").
var supervisor = netip.AddrFrom4([4]byte{172, 30, 32, 2})

// visitor is who asks, as far as it matters.
type visitor struct {
	session string // id of the session; empty without a log-in
	ingress bool   // Home Assistant logged the owner in
	reads   bool
	changes bool
}

// visitor finds out who asks. Reading needs no log-in on this machine itself; a
// proxy here makes everybody look like that, so any sign of one, or of a name that
// leads to one, ends it.
func (p *Page) visitor(r *http.Request, ingress bool) visitor {
	peer := peerOf(r)
	if ingress && peer == supervisor {
		return visitor{ingress: true, reads: true, changes: true}
	}
	if id := p.sessionOf(r); id != "" {
		return visitor{session: id, reads: true, changes: true}
	}
	here := peer.IsLoopback() && loopbackName(hostName(r.Host)) && len(p.opt.Hosts) == 0 && !forwarded(r.Header)
	return visitor{reads: here}
}

func forwarded(h http.Header) bool {
	return slices.ContainsFunc([]string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"},
		func(name string) bool { return h.Get(name) != "" })
}

// hasToken reports whether a program sent the token that the owner gave it.
func (p *Page) hasToken(r *http.Request) bool {
	sent, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	a, b := sha256.Sum256([]byte(sent)), sha256.Sum256([]byte(p.opt.Token))
	return ok && p.opt.Token != "" && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// refuse says why a request is not answered, whoever asks; status 0 if it is.
func (p *Page) refuse(r *http.Request, ingress bool) (status int, why string) {
	peer := peerOf(r)
	switch {
	case !peer.IsValid(), ingress && !welcome(peer):
		return http.StatusForbidden, "Open this page in Home Assistant."
	case r.Method != http.MethodPost && r.ContentLength != 0:
		return http.StatusRequestEntityTooLarge, "Nothing can be sent here."
	case !p.knownHost(r, ingress && peer == supervisor):
		return http.StatusMisdirectedRequest, "This page is not known by that name. If it is yours, add it to web.hosts in the configuration."
	case !p.ownOrigin(r, ingress && peer == supervisor):
		return http.StatusForbidden, "Another web site asked for this page."
	}
	return 0, ""
}

func peerOf(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr().Unmap().WithZone("")
}

// welcome reports whether an address may connect to the port of ingress at all.
func welcome(peer netip.Addr) bool { return peer == supervisor || peer.IsLoopback() }

// knownHost checks the Host of a request. A browser must name this machine as the
// owner does, else any web site could read the page under its own name (DNS
// rebinding). The Supervisor passes on the name by which the owner calls Home
// Assistant, which can be any; it has checked who asks.
func (p *Page) knownHost(r *http.Request, ingress bool) bool {
	name := hostName(r.Host)
	if ingress {
		return name != ""
	}
	if loopbackName(name) || slices.ContainsFunc(p.opt.Hosts, func(h string) bool { return strings.EqualFold(strings.Trim(h, "[]"), name) }) {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && ownAddress(r, addr.Unmap())
}

func hostName(host string) string {
	u := url.URL{Host: host}
	return u.Hostname()
}

func loopbackName(name string) bool {
	addr, err := netip.ParseAddr(name)
	return strings.EqualFold(name, "localhost") || err == nil && addr.Unmap().IsLoopback()
}

// ownAddress reports whether an address is one of this machine: mostly the one at
// which the connection arrived.
func ownAddress(r *http.Request, addr netip.Addr) bool {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		if at, err := netip.ParseAddrPort(local.String()); err == nil && at.Addr().Unmap().WithZone("") == addr.WithZone("") {
			return true
		}
	}
	all, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(all, func(a net.Addr) bool {
		own, err := netip.ParsePrefix(a.String())
		return err == nil && own.Addr() == addr.WithZone("")
	})
}

// ownOrigin reports whether the request comes from our page, or from no page at
// all. Whoever follows a link from elsewhere may read; nothing else may.
func (p *Page) ownOrigin(r *http.Request, ingress bool) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		site := r.Header.Get("Sec-Fetch-Site")
		return site == "" || site == "none" || site == "same-origin" || r.Method != http.MethodPost && r.Header.Get("Sec-Fetch-Mode") == "navigate"
	}
	host := r.Host
	if ingress && r.Header.Get("X-Forwarded-Host") != "" {
		host = r.Header.Get("X-Forwarded-Host")
	}
	u, err := url.Parse(origins[0])
	if err != nil || len(origins) != 1 || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	// A proxy may keep to itself by which name it was asked.
	return sameHost(u, host) || slices.ContainsFunc(p.opt.Hosts, func(h string) bool { return strings.EqualFold(strings.Trim(h, "[]"), u.Hostname()) })
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
