package config

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// minToken is the fewest letters of a token: what is shorter can be guessed.
const minToken = 20

// WebPasswordFile is where the password of the page is.
func (c Config) WebPasswordFile() string {
	return cmp.Or(c.Web.PasswordFile, filepath.Join(c.StateDir, "web-password"))
}

func (v *validator) web(c *Config) {
	w := &c.Web
	if w.Listen != "" {
		v.listen("web.listen", w.Listen, "127.0.0.1:8686")
	}
	for i, h := range w.Hosts {
		if !hostName(h) {
			v.wrong(fmt.Sprintf("web.hosts[%d]", i), "want a host name or address without port, such as \"things.example.org\", have %q", cut(h))
		}
	}
	if w.URL != "" {
		v.url("web.url", w.URL, "http", "https")
	}
	if w.PasswordFile != "" {
		// Not read here: the page reads it at every log-in, so that it can be changed.
		w.PasswordFile = c.beside(w.PasswordFile)
	}
	if w.TokenFile != "" {
		w.TokenFile = c.beside(w.TokenFile)
		var err error
		if w.Token, err = readPassword(w.TokenFile); err != nil {
			v.wrong("web.token_file", "%v", err)
		} else if len(w.Token) < minToken {
			v.wrong("web.token_file", "the token is too short; want %d letters or more", minToken)
		}
	}
	v.certificate(c)
}

func (v *validator) certificate(c *Config) {
	w := &c.Web
	switch {
	case w.CertFile == "" && w.KeyFile == "":
		return
	case w.CertFile == "":
		v.wrong("web.key_file", "there is no cert_file; a key needs its certificate")
		return
	case w.KeyFile == "":
		v.wrong("web.cert_file", "there is no key_file; a certificate needs its private key")
		return
	}
	w.CertFile, w.KeyFile = c.beside(w.CertFile), c.beside(w.KeyFile)
	if _, err := tls.LoadX509KeyPair(w.CertFile, w.KeyFile); err != nil {
		v.wrong("web.cert_file", "can't be used: %v", err)
	}
}

// hostName reports whether s is a name or address as it stands in a URL, without
// a port.
func hostName(s string) bool {
	if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return true
	}
	u, err := url.Parse("http://" + s + "/")
	return err == nil && s != "" && u.Host == s && u.Port() == "" && !strings.ContainsAny(s, "[]*:")
}

// Loopback reports whether the page can be reached from this machine only.
func (w Web) Loopback() bool {
	addr, err := netip.ParseAddrPort(w.Listen)
	return err != nil || addr.Addr().Unmap().IsLoopback()
}

// Names are the names under which the page is reached besides those of the machine.
func (w Web) Names() []string {
	u, err := url.Parse(w.URL)
	if err != nil || w.URL == "" || u.Hostname() == "localhost" {
		return w.Hosts
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && addr.IsLoopback() {
		return w.Hosts
	}
	return append(slices.Clone(w.Hosts), u.Hostname())
}
