package signify

import (
	"bytes"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func FuzzHue(f *testing.F) {
	for _, b := range probertest.Bodies(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, why := answer.JSON(&prober.Response{Status: 200, Body: body}, nil, config.valid)
		if why != "" {
			return
		}
		e := fact.New("hue", probertest.Today)
		c.isOf(probertest.Device())
		c.setFacts(e, "")
		if _, ok := fact.DeviceSetUp.Get(e); ok && !bytes.Contains(bytes.ToLower(body), []byte("factorynew")) && !bytes.Contains(body, []byte(`\u`)) {
			t.Errorf("set up or not, by %q", body)
		}
	})
}
