package igd

import (
	"testing"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/internal/upnp"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func FuzzReadSOAP(f *testing.F) {
	for _, b := range probertest.Bodies(f) {
		f.Add(b, "192.0.2.20", "1", "2", "TCP", "text")
	}
	f.Add([]byte(`<e><Body><GetGenericPortMappingEntryResponse><NewEnabled>1</NewEnabled></GetGenericPortMappingEntryResponse></Body></e>`), "::1", "0", "0", "udp", `"`)
	f.Fuzz(func(t *testing.T, b []byte, client, outside, inside, proto, text string) {
		m, err := upnp.ReadSOAP(b, "GetGenericPortMappingEntry")
		if err != nil {
			m = map[string]string{
				"NewInternalClient": client, "NewExternalPort": outside, "NewInternalPort": inside, "NewProtocol": proto,
				"NewEnabled": "1", "NewPortMappingDescription": text,
			}
		}
		doors, _ := readMapping(m)
		for _, door := range doors {
			list := doorList([]discovery.Door{door, door})
			if again, ok := discovery.ParseDoor(list[0]); len(list) != 1 || !ok || again.String() != list[0] {
				t.Errorf("door %+v is listed as %q", door, list)
			}
		}
	})
}
