package broadlink

import (
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"

	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func FuzzBroadLink(f *testing.F) {
	for _, b := range probertest.Answers(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e := fact.New("broadlink", probertest.Today)
		if err := setFacts(e, b); err == nil && len(b) != answerSize {
			t.Errorf("%d bytes understood", len(b))
		}
	})
}
