package esphome

import (
	"bytes"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func FuzzESPHello(f *testing.F) {
	for _, b := range probertest.Answers(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readESPHello(bytes.NewReader(b))
		if err == nil && (len(b) < 3 || h.noise != (b[0] == encryptedFrame)) {
			t.Errorf("%x: %+v", b, h)
		}
		if fact.Clean(h.version, fact.MaxText) != h.version {
			t.Errorf("version %q is not clean", h.version)
		}
	})
}
