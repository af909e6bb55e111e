package zwavejs

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/source/sourcetest"
)

// seed adds recorded frames. Large ones would only be minimised for minutes.
func seed(f *testing.F, kinds ...string) {
	for _, name := range []string{"captured", "nodes"} {
		ar, err := txtar.ParseFile("testdata/script/" + name + ".txtar")
		if err != nil {
			f.Fatal(err)
		}
		for _, s := range ar.Files {
			for _, kind := range kinds {
				if s.Name == kind && len(s.Data) < 8<<10 {
					f.Add(s.Data)
				}
			}
		}
	}
}

func about(t *testing.T, observations []discovery.Observation) {
	t.Helper()
	for _, o := range observations {
		sourcetest.Describe(o)
		if len(o.About) != 1 || o.About[0].Kind != discovery.ZWaveID || len(strings.Trim(o.About[0].Value, "0123456789abcdef_")) > 0 {
			t.Errorf("observation about %v", o.About)
		}
	}
}

func FuzzVersion(f *testing.F) {
	seed(f, "version")
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := decodeVersion(b)
		if err != nil {
			return
		}
		if s, err := v.schema(); err == nil && (s < schemaNeeded || s > schemaKnown) {
			t.Errorf("schema %d", s)
		}
	})
}

func FuzzState(f *testing.F) {
	seed(f, "state", "answer")
	now := time.Now()
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeState(b)
		if err != nil {
			return
		}
		n := newNetwork(&url.URL{})
		n.connected = true
		about(t, n.replace(s, now))
		about(t, n.lose(now))
		if _, ok := n.nodes[n.own]; !ok {
			t.Error("no controller")
		}
	})
}

func FuzzFrame(f *testing.F) {
	seed(f, "frame", "state", "answer")
	s, err := decodeState([]byte(aState))
	if err != nil {
		f.Fatal(err)
	}
	now := time.Now()
	f.Fuzz(func(t *testing.T, b []byte) {
		n := newNetwork(&url.URL{})
		n.connected = true
		n.replace(s, now)
		about(t, n.frame(b, now).observations)
		about(t, n.tick(now.Add(refresh)))
		if _, ok := n.nodes[1]; !ok {
			t.Error("the controller is lost")
		}
	})
}
