package http

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// FuzzCertificate reads facts from any certificate that a TLS handshake accepts
// without looking who signed it.
func FuzzCertificate(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range []pkix.Name{{CommonName: "device.test"}, {CommonName: "\x1b[2J\u202e", Organization: []string{"A,B+C=\"D\"", ""}}, {}} {
		c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: name}
		der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		state := &tls.ConnectionState{}
		if c, err := x509.ParseCertificate(der); err == nil {
			state.PeerCertificates = []*x509.Certificate{c}
		}
		for _, key := range keysOf(state) {
			if len(key) != 64 {
				t.Errorf("key %q", key)
			}
		}
		e := fact.New("http", time.Time{})
		subject, issuer := namesOf(state)
		setName(e, fact.TLSSubject, subject, "tcp/443")
		setName(e, fact.TLSIssuer, issuer, "tcp/443")
		for _, n := range e.Entries() {
			if s, ok := n.Value.(string); ok && s != fact.Clean(s, fact.MaxText) {
				t.Errorf("%s = %q", n.Name, s)
			}
		}
	})
}
