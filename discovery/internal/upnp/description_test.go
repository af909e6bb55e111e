package upnp_test

import (
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/upnp"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func FuzzReadDescription(f *testing.F) {
	for _, b := range probertest.Bodies(f, "../../protocol/igd/testdata", "../../protocol/upnp/testdata") {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := upnp.ReadDescription(b)
		if err != nil {
			return
		}
		e := fact.New("upnp", probertest.Today)
		d.Root.Set(e, "tcp/80: /")
		for _, n := range e.Entries() {
			if s, ok := n.Value.(string); !ok || fact.Clean(s, fact.MaxText) != s || fact.Clean(n.Proof, fact.MaxText) != n.Proof {
				t.Errorf("%+v is not clean", n)
			}
		}
	})
}
