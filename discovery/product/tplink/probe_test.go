package tplink

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func TestSearch(t *testing.T) { probertest.RunSearch(t, Search) }

func FuzzSearch(f *testing.F) {
	for _, b := range probertest.SearchSeeds(f) {
		f.Add(uint16(sysinfoPort), b)
		f.Add(uint16(statePort), b)
	}
	f.Fuzz(func(t *testing.T, port uint16, b []byte) {
		o, err := readSearch(netip.AddrPortFrom(probertest.Addr, port), b)
		if err == nil && o.Facts.Len() == 0 {
			t.Errorf("nothing read from %q", b)
		}
	})
}

func FuzzSysinfo(f *testing.F) {
	for _, b := range probertest.Seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !bytes.Equal(unscramble(scramble(b)), b) {
			t.Error("scrambled for good")
		}
		if s, err := readSysinfo(bytes.NewReader(b)); err == nil {
			s.setFacts(fact.New("tplink", probertest.Today))
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
		s.setFacts(e, true)
		if setUp, ok := fact.DeviceSetUp.Get(e); ok && !setUp && !s.Factory.Value {
			t.Errorf("not set up, by %q", b)
		}
	})
}
