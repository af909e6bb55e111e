package wiz

import (
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"

	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func TestSearch(t *testing.T) { probertest.RunSearch(t, Search) }

func FuzzSearch(f *testing.F) { probertest.FuzzSearch(f, Search, port) }

func FuzzWiZ(f *testing.F) {
	for _, b := range probertest.Answers(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e := fact.New("wiz", probertest.Today)
		c, why := readConfig(b, nil)
		if why != "" {
			return
		}
		c.setFacts(e)
		if open, ok := fact.ControlOpen.Get(e); !ok || !open {
			t.Errorf("answered and not open, by %q", b)
		}
	})
}
