package sonos

import (
	"bytes"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func FuzzSonos(f *testing.F) {
	for _, b := range probertest.Bodies(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		root, why := readDescription(&prober.Response{Status: 200, Body: b}, nil)
		if why != "" {
			return
		}
		e := fact.New("sonos", probertest.Today)
		setFacts(e, root)
		if open, ok := fact.ControlOpen.Get(e); ok && open && !bytes.Contains(b, []byte("AVTransport")) && !bytes.Contains(b, []byte("&")) {
			t.Errorf("open, by %q", b)
		}
	})
}
