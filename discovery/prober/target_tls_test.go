package prober

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// selfSigned is a certificate as devices have them: for no name, and long over.
func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "IPCamera"}, NotAfter: time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func servingTLS(t *testing.T, version uint16, reply string) DialFunc {
	cfg := &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}, MinVersion: version, MaxVersion: version}
	return serving(func(c net.Conn) {
		s := tls.Server(c, cfg)
		if s.Handshake() != nil {
			return
		}
		if _, err := http.ReadRequest(bufio.NewReader(s)); err == nil {
			_, _ = io.WriteString(s, reply)
		}
	})
}

func TestTLS(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				target := testTarget(servingTLS(t, version, "HTTP/1.1 200 OK\r\n\r\nbody"))
				r, err := target.GetTLS(t.Context(), 443, "/")
				if err != nil {
					t.Fatal(err)
				}
				if string(r.Body) != "body" || r.TLS.Version != version || r.TLS.PeerCertificates[0].Subject.CommonName != "IPCamera" {
					t.Errorf("body %q, %v", r.Body, r.TLS)
				}
				state, err := target.Handshake(t.Context(), 443)
				if err != nil || state != r.TLS || target.connections != 1 {
					t.Errorf("handshake after the answer: %v with %d connections", err, target.connections)
				}
				if _, err := target.Handshake(t.Context(), 8443); err != nil || target.connections != 2 {
					t.Errorf("handshake alone: %v with %d connections", err, target.connections)
				}
			})
		})
	}
}

func TestNoTLS(t *testing.T) {
	for _, tt := range []struct {
		name   string
		dial   DialFunc
		want   error
		notTLS bool
		took   time.Duration
	}{
		{"HTTP", saying("HTTP/1.1 400 Bad Request\r\n\r\n"), ErrUnreadable, true, 0},
		{"silence", serving(func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }), ErrNoAnswer, false, totalTimeout},
		{"an alert", saying("\x15\x03\x01\x00\x02\x02\x28"), ErrUnreadable, false, 0},
		{"hangs up", serving(func(net.Conn) {}), ErrUnreadable, false, 0},
		{"a record too large", saying("\x16\x03\x01\xff\xff"), ErrUnreadable, true, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				target := testTarget(tt.dial)
				start := time.Now()
				_, err := target.Handshake(t.Context(), 443)
				if !errors.Is(err, tt.want) || errors.Is(err, ErrNotTLS) != tt.notTLS || time.Since(start) != tt.took {
					t.Errorf("%v after %v", err, time.Since(start))
				}
				if _, again := target.Handshake(t.Context(), 443); again == nil || target.connections != 1 {
					t.Errorf("again: %v with %d connections", again, target.connections)
				}
			})
		})
	}
}
