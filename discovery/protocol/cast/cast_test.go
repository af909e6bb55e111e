package cast

import (
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func FuzzCast(f *testing.F) {
	for _, b := range probertest.Bodies(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if i, why := answer.JSON(&prober.Response{Status: 200, Body: body}, nil, info.valid); why == "" {
			i.setFacts(fact.New("cast", probertest.Today), "", fact.New("test", probertest.Today))
		}
	})
}
