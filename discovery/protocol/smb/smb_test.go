package smb

import (
	"encoding/binary"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func TestNegotiateLength(t *testing.T) {
	if got := int(binary.BigEndian.Uint32(negotiate)); got != len(negotiate)-4 {
		t.Errorf("the session header says %d bytes, %d follow", got, len(negotiate)-4)
	}
}

func FuzzNegotiation(f *testing.F) {
	for _, b := range probertest.Answers(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got := readNegotiation(b); got == accepts && (len(b) < replySize || string(b[4:8]) != smb1 || b[37] != 0 || b[38] != 0) {
			t.Errorf("%x: accepted", b)
		}
	})
}
