package redis

import (
	"bytes"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func FuzzReply(f *testing.F) {
	for _, b := range probertest.Answers(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got := readReply(b); (got == accepted) != bytes.HasPrefix(b, []byte("+PONG\r\n")) {
			t.Errorf("%q: %v", b, got)
		}
	})
}
