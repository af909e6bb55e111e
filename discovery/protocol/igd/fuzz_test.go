package igd

import (
	"testing"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
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
		mappings, _ := readMapping(m)
		for _, p := range mappings {
			list := listed([]discovery.PortMapping{p, p})
			if len(list) != 1 || fact.Clean(list[0], fact.MaxText) != list[0] || fact.Clean(p.Proof(), fact.MaxText) != p.Proof() {
				t.Errorf("mapping %+v is listed as %q, %q", p, list, p.Proof())
			}
		}
	})
}
