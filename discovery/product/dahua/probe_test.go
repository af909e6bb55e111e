package dahua

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
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := readSearch(netip.AddrPortFrom(probertest.Addr, port), b)
		if (err == nil) != (o.Facts != nil) {
			t.Errorf("facts %v, error %v", o.Facts, err)
		}
	})
}

func FuzzDahua(f *testing.F) {
	for _, b := range probertest.Answers(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e := fact.New("dahua", probertest.Today)
		i, why := readInfo(b, nil)
		if why != "" {
			return
		}
		i.setFacts(e)
		if n, _ := e.Entry(fact.DeviceSetUp.Name()); n.Known() && (!n.Likely || !bytes.Contains(bytes.ToLower(b), []byte("init")) && !bytes.Contains(b, []byte(`\u`))) {
			t.Errorf("set up or not for sure, by %q", b)
		}
	})
}
