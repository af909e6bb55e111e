package tuya

import (
	"encoding/hex"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestPlain(t *testing.T) { probertest.RunSearch(t, Searches[0]) }

// Broadcasts of devices at 192.0.2.10 that speak 3.3, 3.4, and 3.3 without encryption.
func scrambled(t testing.TB) (all [][]byte) {
	t.Helper()
	text, err := os.ReadFile("testdata/scrambled.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		b, err := hex.DecodeString(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

func TestScrambled(t *testing.T) {
	var got []any
	for _, b := range scrambled(t) {
		o, err := Searches[1].Read(netip.AddrPortFrom(probertest.Addr, 1024), b)
		if err != nil {
			t.Fatal(err)
		}
		n, _ := o.Facts.Entry(fact.ControlEncrypted.Name())
		got = append(got, n.Value)
		for _, broken := range [][]byte{b[:len(b)-1], append([]byte{1}, b[1:]...), b[:overhead]} {
			if o, err := Searches[1].Read(netip.AddrPortFrom(probertest.Addr, 1024), broken); err == nil {
				t.Errorf("%x is understood: %v", broken, o.Facts.Entries())
			}
		}
	}
	if d := cmp.Diff([]any{true, true, false}, got); d != "" {
		t.Error(d)
	}
}

func FuzzBroadcast(f *testing.F) {
	for _, b := range append(scrambled(f), probertest.SearchSeeds(f)...) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range Searches {
			if o, err := s.Read(netip.AddrPortFrom(probertest.Addr, 1024), b); (err == nil) != (o.Facts != nil) {
				t.Errorf("%s: facts %v, error %v", s.Name, o.Facts, err)
			}
		}
	})
}
