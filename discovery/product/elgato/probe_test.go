package elgato

import (
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func FuzzElgato(f *testing.F) {
	for _, b := range probertest.Bodies(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e := fact.New("elgato", probertest.Today)
		if i, why := answer.JSON(&prober.Response{Status: 200, Body: b}, nil, info.valid); why == "" {
			i.setFacts(e, "")
		}
	})
}
