package wled

import (
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func FuzzWLED(f *testing.F) {
	for _, b := range probertest.Bodies(f) {
		f.Add(200, b)
	}
	f.Add(401, []byte("unlock OTA"))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		r := &prober.Response{Status: status, Body: body}
		e := fact.New("wled", probertest.Today)
		if i, why := answer.JSON(r, nil, info.valid); why == "" {
			i.setFacts(e)
		}
		setReplaceable(e, r, nil)
		if open, ok := fact.DeviceReplaceable.Get(e); ok && open && status != 200 {
			t.Errorf("replaceable, by status %d", status)
		}
		if len(unpack(body)) > max(maxPage, len(body)) {
			t.Error("unpacked without bound")
		}
	})
}
