package roku

import (
	"bytes"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func FuzzRoku(f *testing.F) {
	for _, b := range probertest.Bodies(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		info, why := readInfo(&prober.Response{Status: 200, Body: body}, nil)
		if why != "" {
			return
		}
		e := fact.New("roku", probertest.Today)
		setFacts(e, info)
		if n, _ := e.Entry(fact.ControlOpen.Name()); n.Value == true && !n.Likely && !bytes.Contains(body, []byte("ecp-setting-mode")) {
			t.Errorf("surely open, by %q", body)
		}
	})
}
