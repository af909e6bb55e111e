package adb

import (
	"bytes"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func FuzzADB(f *testing.F) {
	for _, b := range probertest.Answers(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		said, err := readAnswer(bytes.NewReader(b))
		if err == nil && said == "CNXN" && !bytes.Contains(b, []byte("device:")) {
			t.Errorf("open, by %q", b)
		}
	})
}
