package rtsp

import (
	"bytes"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func FuzzRTSP(f *testing.F) {
	for _, b := range probertest.Answers(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, _ := readRTSP(bytes.NewReader(b))
		if fact.Clean(d.line, fact.MaxText) != d.line || d.status < 0 || d.status > 999 {
			t.Errorf("%q: %+v", b, d)
		}
		if d.video && (d.status != 200 || !bytes.Contains(b, []byte("\nm=video "))) {
			t.Errorf("a picture in %q", b)
		}
	})
}
