package lifx

import (
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"

	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func TestSearch(t *testing.T) { probertest.RunSearch(t, Search) }

func FuzzSearch(f *testing.F) { probertest.FuzzSearch(f, Search, port) }

func FuzzLIFX(f *testing.F) {
	for _, b := range probertest.Answers(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e := fact.New("lifx", probertest.Today)
		if err := setFacts(e, b, probertest.Today); err == nil && len(b) != stateSize {
			t.Errorf("%d bytes understood", len(b))
		}
	})
}
