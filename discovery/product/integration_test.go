package product

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

func TestSuggest(t *testing.T) {
	c := load(t)
	type shows struct {
		macs, names []string
		host        string
		vendor      string
		services    []string
		txt         []string
		upnp        [2]string // manufacturer and device type
	}
	for _, tt := range []struct {
		name string
		in   shows
		want map[string]any
	}{
		{"nothing", shows{}, map[string]any{}},
		{"host name and MAC", shows{host: "iRobot-1234567890ABCDEF", macs: []string{"50:14:79:01:02:03"}},
			map[string]any{"device.integration": []string{"roomba"}, "device.class": "vacuum"}},
		{"a host name alone is not enough where a MAC is asked too", shows{host: "airthings-hub"}, map[string]any{}},
		{"service", shows{services: []string{"_esphomelib._tcp"}}, map[string]any{"device.integration": []string{"esphome"}}},
		{"service with another TXT record", shows{services: []string{"_airplay._tcp"}, txt: []string{"model=MacBookPro18,1"}}, map[string]any{}},
		{"service with its TXT record", shows{services: []string{"_airplay._tcp"}, txt: []string{"manufacturer=Samsung", "model=UE55"}},
			map[string]any{"device.integration": []string{"samsungtv"}}},
		{"service with a name", shows{services: []string{"_http._tcp"}, names: []string{"shelly1pm-98CDAC1F0B2E"}},
			map[string]any{"device.integration": []string{"shelly"}}},
		{"model of HomeKit", shows{services: []string{"_hap._tcp"}, txt: []string{"md=LIFX DLCOL"}},
			map[string]any{"device.integration": []string{"lifx", "homekit_controller"}, "device.manufacturer": "LIFX", "device.class": "light"}},
		{"owner of the MAC address", shows{vendor: "Samsung Electronics Co.,Ltd"}, map[string]any{"device.manufacturer": "Samsung"}},
		{"maker of chips", shows{vendor: "Espressif Inc."}, map[string]any{}},
		{"UPnP", shows{upnp: [2]string{"Denon", "urn:schemas-upnp-org:device:MediaRenderer:1"}},
			map[string]any{"device.integration": []string{"denonavr"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ev := fact.New("x", time.Time{})
			for word, v := range map[fact.Fact[string]]string{fact.DeviceHostname: tt.in.host, fact.DeviceMACVendor: tt.in.vendor,
				fact.UPnPManufacturer: tt.in.upnp[0], fact.UPnPDeviceType: tt.in.upnp[1]} {
				if v != "" {
					word.Set(ev, v, "")
				}
			}
			fact.MDNSServices.Set(ev, tt.in.services, "")
			fact.MDNSTXT.Set(ev, tt.in.txt, "")
			got := map[string]any{}
			for _, n := range c.Suggest(ev, tt.in.macs, tt.in.names).Entries() {
				got[n.Name] = n.Value
				if n.Likely != (n.Name != "device.integration") || n.Proof == "" {
					t.Errorf("%s: likely %v, proof %q", n.Name, n.Likely, n.Proof)
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
