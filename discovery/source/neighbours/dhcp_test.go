package neighbours

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestUnendedDHCP has messages whose options do not end as RFC 2132 section 3.2
// wants: what comes before is read all the same.
func TestUnendedDHCP(t *testing.T) {
	const ethernetIPUDP, cookieEnd = 14 + 20 + 8, 240
	head := frames(t)["dhcp discover"][ethernetIPUDP:][:cookieEnd:cookieEnd]
	discover := append(slices.Clone(head), "\x35\x01\x01\x0c\x07printer\x37\x03\x01\x03\x06"...)
	want := dhcpClient{host: "printer", params: "1,3,6"}
	for _, tt := range []struct {
		name string
		in   []byte
		want dhcpClient
	}{
		{"satori#9 a printer: zeros in place of an end", append(slices.Clone(discover), bytes.Repeat([]byte{0}, 60)...), want},
		{"no end", discover, want},
		{"the last option is cut", append(slices.Clone(discover), 60, 20, 'M', 'S'), want},
		{"the last option has no length", append(slices.Clone(discover), 60), want},
		{"ended", append(slices.Clone(discover), 255, 60, 200), want},
		{"nothing but the cookie", head, dhcpClient{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := sighting{mac: hwaddr{0, 0, 0x5e, 0, 0x53, 2}}
			if !s.parseDHCP4(tt.in) {
				t.Fatal("not read")
			}
			if d := cmp.Diff(tt.want, s.dhcp, cmp.AllowUnexported(dhcpClient{})); d != "" {
				t.Error(d)
			}
		})
	}
}
