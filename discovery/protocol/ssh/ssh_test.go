package ssh

import (
	"strings"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func FuzzIdentification(f *testing.F) {
	for _, b := range probertest.Seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		id, ok := identification(b)
		if ok != strings.HasPrefix(id, "SSH-") || id != fact.Clean(id, fact.MaxText) {
			t.Fatalf("%q: %q, %v", b, id, ok)
		}
	})
}
