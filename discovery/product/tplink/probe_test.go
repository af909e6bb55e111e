package tplink

import (
	"bytes"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func FuzzSysinfo(f *testing.F) {
	for _, b := range probertest.Seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !bytes.Equal(unscramble(scramble(b)), b) {
			t.Error("scrambled for good")
		}
		if s, err := readSysinfo(bytes.NewReader(b)); err == nil {
			s.tell(fact.New("tplink", probertest.Today))
		}
	})
}

func FuzzState(f *testing.F) {
	for _, b := range probertest.Answers(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, why := readState(b, nil)
		if why != "" {
			return
		}
		e := fact.New("tplink", probertest.Today)
		s.tell(e, true)
		if setUp, ok := fact.DeviceSetUp.Get(e); ok && !setUp && !s.Factory.Value {
			t.Errorf("not set up, by %q", b)
		}
	})
}
