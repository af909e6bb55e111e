package yeelight

import (
	"bytes"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"

	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func FuzzYeelight(f *testing.F) {
	for _, b := range probertest.Seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e := fact.New("yeelight", probertest.Today)
		fact.ControlOpen.Unknown(e, fact.NotReported)
		if readAnswer(bytes.NewReader(b)) == nil && !bytes.Contains(bytes.ToLower(b), []byte("id")) && !bytes.Contains(b, []byte(`\u`)) {
			t.Errorf("answered, by %q", b)
		}
	})
}
