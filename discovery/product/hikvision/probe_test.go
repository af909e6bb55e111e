package hikvision

import (
	"bytes"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func FuzzHikvision(f *testing.F) {
	for _, b := range probertest.Bodies(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e := fact.New("hikvision", probertest.Today)
		setActivated(e, &prober.Response{Status: 200, Body: b}, nil)
		if setUp, ok := fact.DeviceSetUp.Get(e); ok && !setUp && !bytes.Contains(b, []byte("Activated")) {
			t.Errorf("not activated, by %q", b)
		}
	})
}
