package wan

import (
	"net/netip"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

func TestNested(t *testing.T) {
	for _, tt := range []struct {
		outside string
		want    any // nil: not to be told
	}{
		{"203.0.113.7", false}, {"::ffff:203.0.113.7", false}, {"100.63.255.255", false}, {"192.0.0.8", false},
		{"192.168.178.2", true}, {"10.0.0.1", true}, {"100.64.0.1", true}, {"192.0.0.2", true},
		{"0.0.0.0", nil}, {"127.0.0.1", nil}, {"169.254.3.4", nil}, {"2001:db8::1", nil},
	} {
		t.Run(tt.outside, func(t *testing.T) {
			e := fact.New("test", time.Unix(0, 0))
			known := SetNested(e, netip.MustParseAddr(tt.outside), "test")
			n, _ := e.Entry(fact.WANNested.Name())
			if n.Value != tt.want || known != (tt.want != nil) {
				t.Errorf("tellNested = %v with %v, want %v", known, n.Value, tt.want)
			}
		})
	}
}
