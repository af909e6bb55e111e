package telnet

import (
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func FuzzClassifyBanner(f *testing.F) {
	for _, b := range probertest.Seeds(f) {
		f.Add(b)
	}
	f.Add([]byte("\xff\xfa\x18\x01\xff\xf0login: "))
	f.Fuzz(func(t *testing.T, b []byte) {
		kind := classifyBanner(b)
		text, commands := stripCommands(b)
		if len(text) > len(b) || (kind == silentBanner) != (len(b) == 0) {
			t.Errorf("%q: %v, text %q", b, kind, text)
		}
		if commands && kind != loginBanner && kind != otherBanner {
			t.Errorf("commands in %q, but %v", b, kind)
		}
		if s := readable(b); fact.Clean(s, fact.MaxText) != s {
			t.Errorf("proof %q is not clean", s)
		}
	})
}
