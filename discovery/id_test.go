package discovery

import (
	"net/netip"
	"testing"
)

func TestParseID(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Identifier // zero if refused
	}{
		{"AA:BB:CC:DD:EE:FF", Identifier{Kind: MACID, Value: "aabbccddeeff"}},
		{"aabb.ccdd.eeff", Identifier{Kind: MACID, Value: "aabbccddeeff"}},
		{" aa-bb-cc-dd-ee-ff ", Identifier{Kind: MACID, Value: "aabbccddeeff"}},
		{"mac_aabbccddeeff", Identifier{Kind: MACID, Value: "aabbccddeeff"}},
		{"mac_aabbccddeeff_1234", Identifier{Kind: PartID, Value: "aabbccddeeff_1234"}},
		{"0x00158D0001A2B3C4", Identifier{Kind: ZigbeeID, Value: "00158d0001a2b3c4"}},
		{"zigbee_00158d0001a2b3c4", Identifier{Kind: ZigbeeID, Value: "00158d0001a2b3c4"}},
		{"zwave_c0ffee00_5", Identifier{Kind: ZWaveID, Value: "c0ffee00_5"}},
		{"matter_87e1b004e235a130_8fc7772401cd0696", Identifier{Kind: MatterID, Value: "87e1b004e235a130_8fc7772401cd0696"}},
		{"192.168.1.20", Identifier{Kind: IPID, Value: "192.168.1.20"}},
		{"::ffff:192.168.1.20", Identifier{Kind: IPID, Value: "192.168.1.20"}},
		{"fd00::5", Identifier{Kind: IPID, Value: "fd00::5"}},
		{"fe80::1%eth0", Identifier{Kind: IPID, Value: "fe80::1%eth0"}},
		{"ip_192_168_1_20", Identifier{Kind: IPID, Value: "192.168.1.20"}},
		{"ip_fd00__5", Identifier{Kind: IPID, Value: "fd00::5"}},
		{in: ""},
		{in: "hub"},
		{in: "Porch camera"},
		{in: "01:00:5e:00:00:fb"},
		{in: "00158d0001a2b3c4"},
		{in: "0x00158d0001a2b3"},
		{in: "mac_aa:bb:cc:dd:ee:ff"},
		{in: "mac_aabbccddeeff_12"},
		{in: "zwave_c0ffee00"},
		{in: "zwave_c0ffee00_05"},
		{in: "zwave_c0ffee_5"},
		{in: "matter_87e1b004e235a130"},
		{in: "127.0.0.1"},
		{in: "0.0.0.0"},
		{in: "224.0.0.251"},
		{in: "ip_"},
		{in: "camera_1"},
	} {
		got, ok := ParseID(tt.in)
		if got != tt.want || ok != (tt.want != Identifier{}) {
			t.Errorf("ParseID(%q) = %v, %v; want %v", tt.in, got, ok, tt.want)
		}
	}
}

// What the inventory makes of an identifier, the owner can write back.
func TestParseIDRoundTrip(t *testing.T) {
	for _, i := range []Identifier{
		{MACID, "aabbccddeeff"}, {ZigbeeID, "00158d0001a2b3c4"}, {ZWaveID, "c0ffee00_232"},
		{MatterID, "87e1b004e235a130_8fc7772401cd0696"},
		IP(netip.MustParseAddr("10.0.0.7")), IP(netip.MustParseAddr("fd12:3456::1")),
	} {
		if got, ok := ParseID(string(i.ID())); !ok || got != i {
			t.Errorf("ParseID(%q) = %v, %v; want %v", i.ID(), got, ok, i)
		}
	}
}
