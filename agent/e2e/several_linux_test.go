package e2e

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

// serveTLS offers a web page with the key that belongs to a seed.
func serveTLS(t *testing.T, h *lab.Host, seed byte) {
	t.Helper()
	key := ed25519.NewKeyFromSeed(append(make([]byte, ed25519.SeedSize-1), seed))
	// Every device has a certificate of its own, whatever its key.
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: h.Name}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ln := tls.NewListener(h.Listen("tcp4", ":443"), &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12,
	})
	go func() {
		_ = http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })) //nolint:gosec // until its listener is closed
	}()
}

// TestFactsAboutSeveralDevices is a home in which two cameras encrypt with one
// key, one machine does so on two interfaces, and a device claims the address of
// another.
func TestFactsAboutSeveralDevices(t *testing.T) {
	l := lab.New(t)
	m := startBroker(t, l)
	one, two, nas := l.Host("camera1"), l.Host("camera2"), l.Host("nas")
	serveTLS(t, one, 1)
	serveTLS(t, two, 1)
	serveTLS(t, nas, 2)
	wired, wireless := l.Host("wired"), l.Host("wireless")
	serveTLS(t, wired, 3)
	serveTLS(t, wireless, 3)
	first, second := l.Host("first"), l.Host("second")
	o := look(t, m)
	startAgent(t, l.Hub(), brokerConfig(m))

	want := map[string][]string{"hub": nil}
	for _, h := range []*lab.Host{one, two, nas, wired, wireless, first, second} {
		want[macID(h)] = nil
	}
	want[macID(one)], want[macID(two)] = []string{"tls-shared-key"}, []string{"tls-shared-key"}
	began := time.Now()
	var spoke time.Time
	poll(time.Minute, func() bool {
		if time.Since(spoke) > time.Second {
			announce(t, wired, wired.IP()) // under one name: as far as the network can tell, one machine
			announce(t, wireless, wireless.IP())
			spoke = time.Now()
		}
		for id := range want {
			if id != "hub" && !o.probedBy(id, "http") {
				return false
			}
		}
		return cmp.Equal(want, o.published())
	})
	if d := cmp.Diff(want, o.published()); d != "" {
		t.Fatalf("findings on the broker (-want +got):\n%s", d)
	}
	t.Logf("the shared key was found %v after the start", time.Since(began).Round(time.Second/10))
	if _, attr := o.finding(macID(one), "tls-shared-key"); attr["severity"] != "medium" || attr["confidence"] != "likely" {
		t.Errorf("finding %v", attr)
	}

	second.Run(t, "ip", "addr", "add", first.IP().String()+"/24", "dev", "lan0")
	want[macID(second)] = []string{"device-identity-conflict"}
	began = time.Now()
	poll(time.Minute, func() bool {
		for _, h := range []*lab.Host{first, second} {
			h.Run(t, "arping", "-U", "-c", "1", "-w", "1", "-I", "lan0", first.IP().String())
		}
		return cmp.Equal(want, o.published())
	})
	if d := cmp.Diff(want, o.published()); d != "" {
		t.Errorf("findings when two claim one address (-want +got):\n%s", d)
	}
	t.Logf("the conflict was found after %v", time.Since(began).Round(time.Second/10))
}
