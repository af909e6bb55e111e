package twinkly

import (
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func FuzzTwinkly(f *testing.F) {
	for _, b := range probertest.Bodies(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e := fact.New("twinkly", probertest.Today)
		r := &prober.Response{Status: 200, Body: b}
		if g, why := answer.JSON(r, nil, gestalt.valid); why == "" {
			g.setFacts(e)
		}
		setFirmware(e, r, nil)
	})
}
