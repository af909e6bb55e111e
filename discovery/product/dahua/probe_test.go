package dahua

import (
	"bytes"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"

	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func TestSearch(t *testing.T) { probertest.RunSearch(t, Search) }

func FuzzSearch(f *testing.F) { probertest.FuzzSearch(f, Search, port) }

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
