// Package http reads the front pages of devices and whether they are encrypted.
package http

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/internal/page"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe reads the front page of a device's web server.
var Probe = &prober.Probe{
	Name:  "http",
	Doc:   "Asks TCP ports 80, 8080 and those announced by multicast DNS for their front page, and 443 and 8443 for encryption; follows no link and logs in nowhere.",
	Touch: prober.Read,
	Gives: []string{
		fact.HTTPBasicClear.Name(), fact.HTTPGenerator.Name(), fact.HTTPOpen.Name(), fact.HTTPPasswordForm.Name(), fact.HTTPRealm.Name(),
		fact.HTTPToTLS.Name(), fact.HTTPServer.Name(), fact.HTTPSettingsOpen.Name(), fact.HTTPTitle.Name(), fact.HTTPTLS.Name(),
		fact.TLSIssuer.Name(), fact.TLSKeys.Name(), fact.TLSSubject.Name(),
	},
	Every:   12 * time.Hour,
	Applies: prober.Reachable,
	Run:     run,
}

// maxAnnounced is how many ports are asked that a device announces beside 80 and 8080.
const maxAnnounced = 3

func run(ctx context.Context, t *prober.Target, report func(discovery.Observation)) error {
	var s site
	for _, port := range webPorts(t.Device()) {
		r, err := t.Get(ctx, port, "/")
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.add(t, port, r, err)
	}
	var secure encryption
	for _, port := range []uint16{443, 8443} {
		state, err := t.Handshake(ctx, port)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if secure.add(port, state, err) {
			break
		}
	}
	o := discovery.Observation{About: t.About(), Facts: t.Evidence()}
	s.setFacts(o.Facts)
	secure.setFacts(o.Facts)
	if services := append(s.services(), secure.services...); len(services) > 0 || s.why == "" && secure.why == "" {
		o.Services = services
	}
	report(o)
	return nil
}

// webPorts returns the ports to ask without encryption.
func webPorts(d discovery.Device) []uint16 {
	list := []uint16{80, 8080}
	for _, s := range d.Services {
		if s.Name == "_http._tcp" && s.Proto == "tcp" && s.Port > 0 && s.Port < 1<<16 &&
			len(list) < 2+maxAnnounced && !slices.Contains(list, uint16(s.Port)) {
			list = append(list, uint16(s.Port))
		}
	}
	return list
}

// site is what the ports without encryption answered.
type site struct {
	pages  []frontPage
	closed []uint16
	why    fact.Why // of a port that is neither a page nor closed; "" if there is none
}

// frontPage is the answer of one port.
type frontPage struct {
	port     uint16
	status   int
	server   string
	schemes  []string // of the log-in that it asks for
	realm    string
	title    string
	toTLS    answer.Tristate
	basic    answer.Tristate // it asks for a password that is sent readable
	password answer.Tristate // it has a field for a password
	settings answer.Tristate // it shows settings to anyone
	form     page.Form
}

func (s *site) add(t *prober.Target, port uint16, r *prober.Response, err error) {
	switch {
	case err == nil:
		s.pages = append(s.pages, readPage(t, port, r))
	case errors.Is(err, prober.ErrClosed):
		s.closed = append(s.closed, port)
	default:
		s.why = prober.WhyOf(err)
	}
}

func readPage(t *prober.Target, port uint16, r *prober.Response) frontPage {
	p := frontPage{port: port, status: r.Status, server: fact.Clean(r.Header.Get("Server"), fact.MaxText)}
	if r.Status == 401 {
		for _, c := range page.Challenges(r.Header.Values("WWW-Authenticate")) {
			p.schemes = append(p.schemes, c.Scheme)
			if p.realm == "" {
				p.realm = c.Realm
			}
		}
	}
	if p.basic = wantsBasic(p.schemes); r.Status == 401 && len(p.schemes) == 0 {
		p.basic = answer.Unclear // it asks for a log-in and does not say by which way
	}
	form := page.Read(r.Body, r.Header.Get("Content-Type"))
	p.form = form
	onward := form.Refresh
	if r.Status >= 300 && r.Status < 400 {
		onward = r.Header.Get("Location")
	} else {
		p.title = form.Title // that of a redirect, "Moved", is no name of anything
	}
	if onward != "" {
		// What the browser sees is another page, which we did not ask for.
		p.settings = leadsToLogin(onward)
		p.toTLS = sameHostTLS(t.Device(), onward)
		if p.toTLS == answer.Yes {
			p.basic, p.password = answer.No, answer.No
		} else if p.basic == answer.No {
			p.basic = answer.Unclear
		}
		return p
	}
	p.toTLS = answer.No
	switch {
	case form.Password:
		p.password = answer.Yes
	case form.Active, r.Truncated, r.Status >= 500:
		p.password = answer.Unclear
	default:
		p.password = answer.No
	}
	p.settings = p.showsSettings(t)
	return p
}

// sameHostTLS says whether a page sends the browser on to HTTPS of the device
// itself. Where a name leads is not ours to ask.
func sameHostTLS(d discovery.Device, location string) answer.Tristate {
	u, err := url.Parse(strings.TrimSpace(location))
	switch {
	case err != nil:
		return answer.Unclear
	case u.Scheme != "https":
		return answer.No
	}
	a, err := netip.ParseAddr(u.Hostname())
	if err != nil || !slices.Contains(d.Addrs(), a.Unmap()) {
		return answer.Unclear
	}
	return answer.Yes
}

// wantsBasic says whether the password is sent readable: browsers take the
// strongest of the schemes that they are offered (RFC 9110 section 11.6.1).
func wantsBasic(schemes []string) answer.Tristate {
	stronger := func(s string) bool { return s == "digest" || s == "negotiate" || s == "ntlm" }
	if slices.Contains(schemes, "basic") && !slices.ContainsFunc(schemes, stronger) {
		return answer.Yes
	}
	return answer.No
}

func (p frontPage) proof() string {
	switch {
	case len(p.schemes) == 1 && p.realm != "":
		return fmt.Sprintf("tcp/%d: %d %s realm=%q", p.port, p.status, title(p.schemes[0]), p.realm)
	case len(p.schemes) > 0:
		var all []string
		for _, s := range p.schemes {
			all = append(all, title(s))
		}
		return fmt.Sprintf("tcp/%d: %d %s", p.port, p.status, strings.Join(all, ", "))
	default:
		return fmt.Sprintf("tcp/%d: %d", p.port, p.status)
	}
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// setFacts sets the words about the pages without encryption.
func (s *site) setFacts(e *fact.Evidence) {
	texts := []struct {
		word fact.Fact[string]
		of   func(frontPage) string
	}{
		{fact.HTTPTitle, func(p frontPage) string { return p.title }},
		{fact.HTTPServer, func(p frontPage) string { return p.server }},
		{fact.HTTPRealm, func(p frontPage) string { return p.realm }},
		{fact.HTTPGenerator, func(p frontPage) string { return p.form.Generator }},
	}
	// Texts of one page tell more together than those of several.
	pages := slices.Clone(s.pages)
	slices.SortStableFunc(pages, func(a, b frontPage) int { return cmp.Compare(b.texts(), a.texts()) })
	for _, x := range texts {
		x.word.Unknown(e, s.whyNot())
		if i := slices.IndexFunc(pages, func(p frontPage) bool { return x.of(p) != "" }); i >= 0 {
			x.word.Set(e, x.of(pages[i]), fmt.Sprintf("tcp/%d: %s", pages[i].port, x.of(pages[i])))
		}
	}
	none := func(frontPage) string { return "" }
	s.setAny(e, fact.HTTPOpen, fact.HTTPOpen.Set, none, func(frontPage) answer.Tristate { return answer.Yes })
	s.setAny(e, fact.HTTPBasicClear, fact.HTTPBasicClear.Set, none, func(p frontPage) answer.Tristate { return p.basic })
	s.setAny(e, fact.HTTPPasswordForm, fact.HTTPPasswordForm.Set, func(frontPage) string { return ` <input type="password">` }, func(p frontPage) answer.Tristate { return p.password })
	// A form is a sign only: what it changes may still ask for a password.
	s.setAny(e, fact.HTTPSettingsOpen, fact.HTTPSettingsOpen.SetLikely, func(p frontPage) string { return " " + p.form.Settings() }, func(p frontPage) answer.Tristate { return p.settings })
	s.setToTLS(e)
}

// texts is how many texts of the page may name the product, the Server header not
// counted.
func (p frontPage) texts() (n int) {
	for _, s := range []string{p.title, p.realm, p.form.Generator} {
		if s != "" {
			n++
		}
	}
	return n
}

// setAny sets a word that is true if it is so on any port, and false only if
// every port said that it is not. Shown is what the page has that makes it so, and
// set records that it is.
func (s *site) setAny(e *fact.Evidence, word fact.Fact[bool], set func(*fact.Evidence, bool, string), proofOf func(frontPage) string, of func(frontPage) answer.Tristate) {
	why := s.why
	var proofs []string
	for _, p := range s.pages {
		switch of(p) {
		case answer.Yes:
			set(e, true, p.proof()+proofOf(p))
			return
		case answer.Unclear:
			why = fact.NotReported
		default:
			proofs = append(proofs, p.proof())
		}
	}
	if why != "" {
		word.Unknown(e, why)
		return
	}
	if len(s.closed) > 0 {
		proofs = append(proofs, answer.List(s.closed)+" refused")
	}
	word.Set(e, false, strings.Join(proofs, "; "))
}

// setToTLS sets whether every page sends the browser on to HTTPS.
func (s *site) setToTLS(e *fact.Evidence) {
	all := s.why == "" && len(s.pages) > 0
	for _, p := range s.pages {
		if p.toTLS == answer.No {
			fact.HTTPToTLS.Set(e, false, p.proof())
			return
		}
		all = all && p.toTLS == answer.Yes
	}
	if all {
		fact.HTTPToTLS.Set(e, true, s.pages[0].proof()+" Location: https")
		return
	}
	fact.HTTPToTLS.Unknown(e, s.whyNot())
}

// whyNot is why a page does not tell something.
func (s *site) whyNot() fact.Why {
	switch {
	case len(s.pages) > 0:
		return fact.NotReported
	case s.why != "":
		return s.why
	default:
		return fact.Refused
	}
}

func (s *site) services() []discovery.Service {
	out := []discovery.Service{}
	for _, p := range s.pages {
		out = append(out, discovery.Service{Proto: "tcp", Port: int(p.port), Name: "http"})
	}
	return out
}

// encryption is what the ports of HTTPS answered.
type encryption struct {
	proof    string // of the first that speaks TLS
	keys     []string
	subject  string
	issuer   string
	refused  []string
	services []discovery.Service
	why      fact.Why
}

// add takes in what a port answered and reports whether that settles it.
func (x *encryption) add(port uint16, state *tls.ConnectionState, err error) (settled bool) {
	switch {
	case err == nil:
		x.proof = fmt.Sprintf("tcp/%d: %s", port, tls.VersionName(state.Version))
		x.keys = keysOf(state)
		x.subject, x.issuer = namesOf(state)
		x.services = []discovery.Service{{Proto: "tcp", Port: int(port), Name: "https"}}
		x.why = ""
		return true
	case errors.Is(err, prober.ErrClosed):
		x.refused = append(x.refused, fmt.Sprintf("tcp/%d refused", port))
	case errors.Is(err, prober.ErrNotTLS):
		x.refused = append(x.refused, fmt.Sprintf("tcp/%d: no TLS", port))
	default:
		x.why = prober.WhyOf(err)
	}
	return false
}

func (x *encryption) setFacts(e *fact.Evidence) {
	switch {
	case x.proof != "":
		fact.HTTPTLS.Set(e, true, x.proof)
		fact.TLSKeys.Set(e, x.keys, x.proof)
		setName(e, fact.TLSSubject, x.subject, x.proof)
		setName(e, fact.TLSIssuer, x.issuer, x.proof)
	case x.why != "":
		fact.HTTPTLS.Unknown(e, x.why)
		fact.TLSKeys.Unknown(e, x.why)
		fact.TLSSubject.Unknown(e, x.why)
		fact.TLSIssuer.Unknown(e, x.why)
	default:
		none := strings.Join(x.refused, "; ")
		fact.HTTPTLS.Set(e, false, none)
		fact.TLSKeys.Set(e, nil, none)
		fact.TLSSubject.Unknown(e, fact.Refused)
		fact.TLSIssuer.Unknown(e, fact.Refused)
	}
}

// keysOf returns the fingerprint of the public key for which the device has just
// shown that it holds the secret one: that of its own certificate. The keys of
// those who signed it are not its own.
func keysOf(state *tls.ConnectionState) []string {
	if len(state.PeerCertificates) == 0 {
		return nil
	}
	sum := sha256.Sum256(state.PeerCertificates[0].RawSubjectPublicKeyInfo)
	return []string{hex.EncodeToString(sum[:])}
}

// namesOf returns the subject and the issuer of the device's certificate, as RFC
// 4514 writes them.
func namesOf(state *tls.ConnectionState) (subject, issuer string) {
	if len(state.PeerCertificates) == 0 {
		return "", ""
	}
	c := state.PeerCertificates[0]
	return c.Subject.String(), c.Issuer.String()
}

func setName(e *fact.Evidence, word fact.Fact[string], name, proof string) {
	if name == "" {
		word.Unknown(e, fact.NotReported)
		return
	}
	word.Set(e, name, proof)
}
