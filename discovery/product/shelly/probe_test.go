package shelly

import (
	"bytes"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func FuzzShelly(f *testing.F) {
	for _, b := range probertest.Bodies(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := &prober.Response{Status: 200, Body: body}
		e := fact.New("shelly", probertest.Today)
		info, why := readShelly(r, nil)
		if why == "" {
			info.setFacts(e, "", probertest.Today)
		} else if why != fact.Unreadable {
			t.Errorf("why = %q", why)
		}
		setAccessPoint(e, r, "")
		readGen1Update(r, string(info.FW))
		readGen2Update(r, string(info.Version))
		if open, ok := fact.ControlOpen.Get(e); ok && open && !bytes.Contains(bytes.ToLower(body), []byte("auth")) && !bytes.Contains(body, []byte(`\u`)) {
			t.Errorf("open, by %q", body)
		}
	})
}
