package tasmota

import (
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func FuzzTasmota(f *testing.F) {
	for _, b := range probertest.Bodies(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := &prober.Response{Status: 200, Body: body}
		for _, s := range []tasmotaStatus{readStatus2(r), readTasmotaPage(r)} {
			e := fact.New("tasmota", probertest.Today)
			s.setFacts(e, probertest.Today)
			if (s.open == answer.Unclear) == (s.proof != "") || len(e.Entries()) != len(words) {
				t.Errorf("%q: %+v", body, s)
			}
		}
	})
}
