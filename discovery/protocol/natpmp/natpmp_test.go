package natpmp

import (
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func FuzzNATPMP(f *testing.F) {
	f.Add([]byte{0, 0x80, 0, 0, 0, 0, 0, 1, 198, 51, 100, 1})
	f.Add(append([]byte{2, 0x80, 0, 0}, make([]byte, 20)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, k := range []mapper{readNATPMP(b), readPCP(b)} {
			if k.on != answer.Unclear && (len(b) < 4 || b[1] != 0x80 || k.proof == "") || k.outside.IsValid() && k.on != answer.Yes {
				t.Errorf("%x gives %+v", b, k)
			}
		}
	})
}
