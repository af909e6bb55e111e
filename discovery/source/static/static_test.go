package static

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/inventory"
)

func TestStaticReportsAgainEveryMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := new(Config).New(discovery.Env{Now: time.Now, Devices: []discovery.OwnerDevice{
			{Match: "AA:BB:CC:DD:EE:0F", Name: "Porch camera", Class: "camera"},
			{Match: "0x00158d0001a2b3c4", Name: "Hall lamp"},
			{Match: "192.168.1.20", Class: "printer"},
		}})
		if err != nil {
			t.Fatal(err)
		}
		type observations struct {
			About discovery.Identifier
			Name  string
			Class string
			Quiet bool
		}
		var got []observations
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		err = s.Run(ctx, func(o discovery.Observation) {
			class, _ := fact.DeviceClass.Get(o.Facts)
			got = append(got, observations{o.About[0], o.Name, class, o.Quiet})
		})
		if err != nil {
			t.Fatal(err)
		}
		once := []observations{
			{discovery.Identifier{Kind: discovery.MACID, Value: "aabbccddee0f"}, "Porch camera", "camera", true},
			{discovery.Identifier{Kind: discovery.ZigbeeID, Value: "00158d0001a2b3c4"}, "Hall lamp", "", true},
			{discovery.IP(netip.MustParseAddr("192.168.1.20")), "", "printer", true},
		}
		if diff := cmp.Diff(append(once, once...), got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestStaticNamesEveryMistake(t *testing.T) {
	_, err := new(Config).New(discovery.Env{Now: time.Now, Devices: []discovery.OwnerDevice{
		{Match: "aa:bb:cc:dd:ee:0f"},
		{Match: "porch camera"},
		{Match: "192.168.1.20", Class: "camra"},
		{Match: "mac_aabbccddee0f"},
	}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`devices[1]: match: "porch camera"`, `devices[2]: class: "camra" is none of accesspoint,`,
		`devices[3]: match: "mac_aabbccddee0f" is the device of devices[0] again`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}

// The owner's entry makes a device of a strong identifier, which no source says is
// there, and names the device that has an address without making another.
func TestStaticInTheInventory(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	lan := discovery.Networks{Watched: []discovery.Network{{Interface: "eth0", Prefix: netip.MustParsePrefix("192.168.1.0/24")}}}
	inv := inventory.New(func() discovery.Networks { return lan }, []discovery.SourceKind{Kind}, func(discovery.ID) bool { return false }, now)
	printer, _ := discovery.MAC("aa:bb:cc:00:00:01")
	ip := discovery.IP(netip.MustParseAddr("192.168.1.20"))
	inv.Observe(discovery.Observation{By: "neighbours", At: now, About: []discovery.Identifier{printer, ip}, Name: "HP", Facts: fact.New("neighbours", now)})

	s, err := new(Config).New(discovery.Env{Now: time.Now, Devices: []discovery.OwnerDevice{
		{Match: "192.168.1.20", Name: "Printer"}, {Match: "aa:bb:cc:dd:ee:0e", Name: "Boat camera", Class: "camera"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx, func(o discovery.Observation) { o.By, o.At = "static", now; inv.Observe(o) }); err != nil {
		t.Fatal(err)
	}
	names := map[discovery.ID]string{}
	for _, id := range inv.IDs() {
		d, _ := inv.Device(id)
		names[id] = d.Name
		if _, ok := fact.DeviceOnline.Get(inv.Evidence(id, now)); ok {
			t.Errorf("%s: whether it is online is known", id)
		}
	}
	want := map[discovery.ID]string{"hub": "", "mac_aabbcc000001": "Printer", "mac_aabbccddee0e": "Boat camera"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
