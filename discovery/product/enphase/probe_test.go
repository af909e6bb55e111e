package enphase

import (
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func FuzzEnphase(f *testing.F) {
	for _, b := range probertest.Bodies(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e := fact.New("enphase", probertest.Today)
		why := setFacts(e, "", &prober.Response{Status: 200, Body: b}, nil)
		if _, known := fact.DeviceProduct.Get(e); known == (why != "") {
			t.Errorf("why %q, known %v", why, known)
		}
	})
}
