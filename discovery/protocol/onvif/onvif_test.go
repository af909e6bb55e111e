package onvif

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func TestRecorded(t *testing.T) { probertest.Run(t, Probe) }

func FuzzONVIF(f *testing.F) {
	for _, b := range probertest.Bodies(f) {
		f.Add(200, b)
	}
	f.Fuzz(func(t *testing.T, status int, b []byte) {
		own := netip.MustParseAddr("192.0.2.10")
		if r, err := readAnswer(status, b, "GetServices"); err == nil {
			_, _, _ = mediaService(r, own)
		}
		if r, err := readAnswer(status, b, "GetProfiles"); err == nil {
			if token := firstToken(r); strings.ContainsAny(token, "<>&") {
				t.Errorf("token %q", token)
			}
		}
		if r, err := readAnswer(status, b, "GetStreamUri"); err == nil {
			if where, ok := streamLocation(r.Child("MediaUri").Value("Uri"), own); ok && strings.Contains(where, "@192") {
				t.Errorf("a log-in in %q", where)
			}
		}
	})
}
