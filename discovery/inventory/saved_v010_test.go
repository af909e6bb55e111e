package inventory

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Version 0.1.0 kept port mappings and disputed addresses in the text of words only.
func TestRestoreOfVersion010(t *testing.T) {
	h := newRoutedHome(t)
	stamp, _ := json.Marshal(h.now)
	saved := `[{"id": "mac_00005e005301", "identifiers": [{"Kind": "mac", "Value": "00005e005301"}, {"Kind": "ip", "Value": "192.0.2.1"}],
		"first_seen": ` + string(stamp) + `, "last_seen": ` + string(stamp) + `, "said": {"igd": {"facts": [
			{"name": "wan.doors", "value": ["192.0.2.20 tcp 8443 to 443, for good, \"web, for good\"", "192.0.2.77 udp 9 to 9, for a time, only from 198.51.100.7"], "by": "igd", "at": ` + string(stamp) + `},
			{"name": "wan.mappings_complete", "value": true, "by": "igd", "at": ` + string(stamp) + `}]},
		"neighbours": {"facts": [{"name": "address.disputed", "value": ["192.0.2.9 00:00:5e:00:53:20"], "by": "neighbours", "at": ` + string(stamp) + `}]}}}]`
	var devices []SavedDevice
	if err := json.Unmarshal([]byte(saved), &devices); err != nil {
		t.Fatal(err)
	}
	inv := New(func() discovery.Networks { return h.networks }, testSources, func(discovery.ID) bool { return false }, h.now)
	inv.Restore(devices)
	r := inv.records["mac_00005e005301"]
	camera, gone := netip.MustParseAddr("192.0.2.20"), netip.MustParseAddr("192.0.2.77")
	wantMappings := []discovery.PortMapping{
		{Client: camera, Proto: "tcp", External: 8443, Internal: 443, Permanent: true, Description: "web, for good"},
		{Client: gone, Proto: "udp", External: 9, Internal: 9, From: netip.MustParseAddr("198.51.100.7")},
	}
	compare := cmpopts.EquateComparable(netip.Addr{})
	if diff := cmp.Diff(wantMappings, r.by["igd"].portMappings, compare); diff != "" {
		t.Errorf("port mappings (-want +got):\n%s", diff)
	}
	list, _ := fact.WANPortMappings.Get(inv.Evidence(r.id, h.now))
	if diff := cmp.Diff([]string{"192.0.2.20 tcp/8443>443", "192.0.2.77 udp/9>9 from 198.51.100.7"}, list); diff != "" {
		t.Errorf("wan.port_mappings (-want +got):\n%s", diff)
	}
	wantDisputed := []discovery.AddressDispute{{Addr: netip.MustParseAddr("192.0.2.9"), Owner: h.mac("camera")}}
	if diff := cmp.Diff(wantDisputed, r.by["neighbours"].disputed, compare); diff != "" {
		t.Errorf("disputed (-want +got):\n%s", diff)
	}

	// What is saved now comes back as it is.
	again := New(func() discovery.Networks { return h.networks }, testSources, func(discovery.ID) bool { return false }, h.now)
	b, err := json.Marshal(inv.Save())
	if err != nil {
		t.Fatal(err)
	}
	devices = nil
	if err := json.Unmarshal(b, &devices); err != nil {
		t.Fatal(err)
	}
	again.Restore(devices)
	if diff := cmp.Diff(wantMappings, again.records[r.id].by["igd"].portMappings, compare); diff != "" {
		t.Errorf("port mappings after Save and Restore (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantDisputed, again.records[r.id].by["neighbours"].disputed, compare); diff != "" {
		t.Errorf("disputed after Save and Restore (-want +got):\n%s", diff)
	}
}

func TestParseSentence010(t *testing.T) {
	camera := netip.MustParseAddr("192.0.2.20")
	for _, tt := range []struct {
		in   string
		want string // token and proof; "" if it is none
	}{
		{"192.0.2.20 tcp 1 to 65535, for good, only from 198.51.100.7", "192.0.2.20 tcp/1>65535 from 198.51.100.7, permanent"},
		{"tcp 8443 to 443, for a time", "tcp/8443>443, leased"},
		{`2001:db8::1 udp 1 to 2, for a time, only from 2001:db8::2, "a, for good, 'b'"`, `2001:db8::1 udp/1>2 from 2001:db8::2, leased, "a, for good, 'b'"`},
		{`192.0.2.20 tcp 0 to 0, for good, "a, only from b"`, `192.0.2.20 tcp/0>0, permanent, "a, only from b"`},
		{"", ""}, {"x", ""}, {"192.0.2.20", ""}, {"192.0.2.20 tcp 1 to 2", ""}, {"x tcp 1 to 2, for good", ""},
		{"192.0.2.20 sctp 1 to 2, for good", ""}, {"192.0.2.20 tcp 1 to 65536, for good", ""}, {"192.0.2.20 tcp -1 to 2, for good", ""},
		{"192.0.2.20 tcp 1 to 2, forever", ""}, {"192.0.2.20 tcp 1 to 2, for good, only from x", ""}, {`192.0.2.20 tcp 1 to 2, for good"`, ""},
	} {
		t.Run(tt.in, func(t *testing.T) {
			got := ""
			if m, ok := parseSentence010(tt.in); ok {
				if got = m.Proof(); m.Client.IsValid() {
					got = m.Client.String() + " " + got
				}
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if m, _ := parseSentence010("192.0.2.20 tcp 1 to 2, for good"); m.Client != camera {
		t.Errorf("client %v", m.Client)
	}
}

func FuzzParseSentence010(f *testing.F) {
	f.Add(`192.0.2.20 tcp 8443 to 443, for good, only from 198.51.100.7, "web"`)
	f.Add("udp 1 to 2, for a time")
	f.Fuzz(func(t *testing.T, s string) {
		if m, ok := parseSentence010(s); ok && fact.Clean(m.Token(), fact.MaxText) != m.Token() {
			t.Errorf("%q gives the token %q", s, m.Token())
		}
	})
}
