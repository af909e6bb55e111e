package demo

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"
)

// serveHTTP answers on one connection.
func serveHTTP(handler http.Handler) func(net.Conn) {
	return func(c net.Conn) {
		s := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
		l := newSingle(c)
		_ = s.Serve(l) // ends with the connection
	}
}

// serveTLS is serveHTTP with encryption.
func serveTLS(cert tls.Certificate, handler http.Handler) func(net.Conn) {
	return func(c net.Conn) {
		serveHTTP(handler)(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}))
	}
}

// single is a listener of one connection; it ends when that does.
type single struct {
	conns chan net.Conn
	addr  net.Addr
}

func newSingle(c net.Conn) *single {
	l := &single{conns: make(chan net.Conn, 1), addr: c.LocalAddr()}
	l.conns <- &singleConn{Conn: c, end: sync.OnceFunc(func() { close(l.conns) })}
	return l
}

// Accept implements net.Listener.
func (l *single) Accept() (net.Conn, error) {
	c, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

// Close implements net.Listener.
func (l *single) Close() error { return nil }

// Addr implements net.Listener.
func (l *single) Addr() net.Addr { return l.addr }

type singleConn struct {
	net.Conn
	end func()
}

// Close implements net.Conn.
func (c *singleConn) Close() error {
	defer c.end()
	return c.Conn.Close()
}

// page answers every path with a page.
func page(title, body string) http.Handler {
	return text("text/html; charset=utf-8", fmt.Sprintf("<!DOCTYPE html><html><head><title>%s</title></head><body>%s</body></html>", title, body))
}

// text answers every path with a text.
func text(kind, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = io.WriteString(w, body) // whoever asked may be gone
	})
}

// only answers the paths given, and none else.
func only(paths map[string]http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := paths[r.URL.Path]; h != nil {
			h.ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r)
	})
}

// description is how a device describes itself by UPnP (UPnP Device Architecture
// 1.1, section 2.3).
func description(kind, name, maker, model string) http.Handler {
	return text("text/xml", fmt.Sprintf(`<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><device><deviceType>%s</deviceType><friendlyName>%s</friendlyName>
<manufacturer>%s</manufacturer><modelName>%s</modelName></device></root>`, kind, name, maker, model))
}

// selfSigned makes a certificate as devices make one for themselves.
func selfSigned(name string, now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making a key: %w", err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making a certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
