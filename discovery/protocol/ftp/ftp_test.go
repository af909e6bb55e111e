package ftp

import (
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func FuzzGreeting(f *testing.F) {
	for _, b := range probertest.Seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		text, ok := greeting(b)
		if ok == (text == "") || text != fact.Clean(text, fact.MaxText) {
			t.Fatalf("%q: %q, %v", b, text, ok)
		}
	})
}
