package xiaomi

import (
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"

	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func TestSearch(t *testing.T) { probertest.RunSearch(t, Search) }

func FuzzSearch(f *testing.F) { probertest.FuzzSearch(f, Search, port) }

func FuzzMiIO(f *testing.F) {
	for _, b := range probertest.Answers(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e := fact.New("xiaomi", probertest.Today)
		if err := setFacts(e, b); err != nil {
			return
		}
		for _, n := range e.Entries() {
			if len(n.Proof) > 40 {
				t.Errorf("the key may stand in %q", n.Proof)
			}
		}
	})
}
