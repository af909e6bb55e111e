package probe

import (
	"testing"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

func FuzzReadDescription(f *testing.F) {
	for _, b := range append(bodies(f, "igd"), bodies(f, "upnp")...) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := readDescription(b)
		if err != nil {
			return
		}
		e := fact.New("upnp", today)
		d.root.tell(e, "tcp/80: /")
		for _, n := range e.Entries() {
			if s, ok := n.Value.(string); !ok || fact.Clean(s, fact.MaxText) != s || fact.Clean(n.Proof, fact.MaxText) != n.Proof {
				t.Errorf("%+v is not clean", n)
			}
		}
	})
}

func FuzzReadSOAP(f *testing.F) {
	for _, b := range bodies(f, "igd") {
		f.Add(b, "192.0.2.20", "1", "2", "TCP", "text")
	}
	f.Add([]byte(`<e><Body><GetGenericPortMappingEntryResponse><NewEnabled>1</NewEnabled></GetGenericPortMappingEntryResponse></Body></e>`), "::1", "0", "0", "udp", `"`)
	f.Fuzz(func(t *testing.T, b []byte, client, outside, inside, proto, text string) {
		m, err := readSOAP(b, "GetGenericPortMappingEntry")
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

func FuzzNATPMP(f *testing.F) {
	f.Add([]byte{0, 0x80, 0, 0, 0, 0, 0, 1, 198, 51, 100, 1})
	f.Add(append([]byte{2, 0x80, 0, 0}, make([]byte, 20)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, k := range []doorKeeper{readNATPMP(b), readPCP(b)} {
			if k.on != unclear && (len(b) < 4 || b[1] != 0x80 || k.proof == "") || k.outside.IsValid() && k.on != yes {
				t.Errorf("%x gives %+v", b, k)
			}
		}
	})
}
