package report

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// shows makes a device of id mac_<mac> with words of text.
func shows(mac string, d Device, words map[fact.Fact[string]]string) Device {
	ev := fact.New("test", time.Time{})
	for w, v := range words {
		w.Set(ev, v, "")
	}
	d.Facts = ev.Entries()
	if mac != "" {
		d.ID = discovery.ID("mac_" + mac)
		d.IDs = append(d.IDs, discovery.Identifier{Kind: discovery.MACID, Value: mac})
	}
	return d
}

func TestTitle(t *testing.T) {
	type words = map[fact.Fact[string]]string
	named := func(name string) Device { return Device{Device: discovery.Device{Name: name}} }
	const mac = "3c6105a1b2c3"
	for _, tt := range []struct {
		name string
		in   Device
		want string
	}{
		{"the owner's name, whatever it is", shows(mac, Device{Device: discovery.Device{Name: "ESP_1A2B3C"}, Owned: true}, nil), "ESP_1A2B3C"},
		{"bridge's name", shows("", named("Porch light"), nil), "Porch light"},
		{"a name that is an address", shows("", Device{Device: discovery.Device{Name: "0x00158d0001a2b3c4",
			IDs: []discovery.Identifier{{Kind: discovery.ZigbeeID, Value: "00158d0001a2b3c4"}}}, Kind: "zigbee", Manufacturer: "LUMI", Maker: "LUMI", Model: "lumi.weather"},
			words{fact.DeviceArea: "Attic"}), "lumi.weather (Attic)"},
		{"Z-Wave device without a name", shows("", Device{Device: discovery.Device{
			IDs: []discovery.Identifier{{Kind: discovery.ZWaveID, Value: "c0ffee00_12"}}}, Kind: "zwave", Class: "lock"}, nil), "Z-Wave lock 12"},
		{"announced name with an address", shows(mac, named("Philips hue (192.168.1.2)"), nil), "Philips hue"},
		{"announced name with a serial number", shows(mac, named("Hue Bridge - 1A2B3C"), nil), "Hue Bridge"},
		{"announced name behind an address", shows(mac, named("192.168.1.5 - Sonos Play:1"), nil), "Sonos Play:1"},
		{"announced name with a mark", shows(mac, named("[TV] Samsung 7 Series (55)"), nil), "Samsung 7 Series (55)"},
		{"name of UPnP", shows(mac, named("shellyplus1-a8032ab12345"), words{fact.UPnPFriendlyName: "Living room"}), "Living room"},
		{"host name", shows(mac, Device{}, words{fact.DeviceHostname: "annas-iphone.local"}), "annas-iphone"},
		{"name of the home's resolver", shows(mac, Device{}, words{fact.DNSName: "nas.home.arpa"}), "nas"},
		{"machine-made host name and a product", shows(mac, Device{Manufacturer: "Shelly", Maker: "Shelly", Model: "Plus 1"},
			words{fact.DeviceHostname: "shellyplus1-a8032ab12345"}), "Shelly Plus 1"},
		{"model that names its maker", shows(mac, Device{Manufacturer: "Brother", Maker: "Brother", Model: "Brother HL-L2350DW"}, nil), "Brother HL-L2350DW"},
		{"maker and class", shows(mac, Device{Manufacturer: "Hikvision", Maker: "Hikvision", Class: "camera"}, nil), "Hikvision camera"},
		{"owner of the MAC address", shows(mac, Device{Maker: "Espressif"}, words{fact.DeviceHostname: "ESP_A1B2C3"}), "Espressif device B2:C3"},
		{"nothing but a MAC address", shows(mac, Device{Class: "networkswitch"}, nil), "Unknown network switch B2:C3"},
		{"nothing but an address", shows("", Device{Device: discovery.Device{ID: "ip_c0a80114", IDs: []discovery.Identifier{{Kind: discovery.IPID, Value: "192.168.1.20"}}}}, nil),
			"Unknown device 192.168.1.20"},
		{"the hub", Device{Device: discovery.Device{ID: discovery.Hub}}, "Thingwarden"},
		{"hostile name", shows(mac, named("\x1b[31m Front\u202e door \n"), nil), "[31m Front door"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all := []Device{tt.in}
			Titles(all)
			if all[0].Title != tt.want {
				t.Errorf("title %q, want %q", all[0].Title, tt.want)
			}
		})
	}
}

func TestTitlesAreUnique(t *testing.T) {
	type words = map[fact.Fact[string]]string
	named := func(mac, name, room, model string) Device {
		w := words{}
		if room != "" {
			w[fact.DeviceArea] = room
		}
		return shows(mac, Device{Device: discovery.Device{Name: name}, Model: model}, w)
	}
	owned := named("3c6105a1b2c9", "TV", "", "")
	owned.Owned = true
	for _, tt := range []struct {
		name string
		in   []Device
		want []string
	}{
		{"rooms", []Device{named("3c6105a1b2c3", "Lamp", "Kitchen", ""), named("3c6105a1b2c4", "lamp", "Hall", "")}, []string{"Lamp (Kitchen)", "lamp (Hall)"}},
		{"models", []Device{named("3c6105a1b2c3", "Lamp", "Kitchen", "A19"), named("3c6105a1b2c4", "Lamp", "Kitchen", "GU10")}, []string{"Lamp (A19)", "Lamp (GU10)"}},
		{"addresses", []Device{named("3c6105a1b2c3", "Lamp", "", ""), named("3c6105a1b2c4", "Lamp", "", "")}, []string{"Lamp (B2:C3)", "Lamp (B2:C4)"}},
		{"addresses of one ending", []Device{named("3c6105a1b2c3", "Lamp", "", ""), named("3c6106a2b2c3", "Lamp", "", "")}, []string{"Lamp (A1:B2:C3)", "Lamp (A2:B2:C3)"}},
		{"the owner's name stays", []Device{owned, named("3c6105a1b2c3", "TV", "", "")}, []string{"TV", "TV (B2:C3)"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			Titles(tt.in)
			got := []string{}
			for _, d := range tt.in {
				got = append(got, d.Title)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestMachineMade(t *testing.T) {
	for _, name := range []string{
		"ESP_1A2B3C", "android-1f2e3d4c5b6a7988", "shellyplus1-a8032ab12345", "shelly1pm-98CDAC1F0B2E", "tasmota-1A2B3C-1234",
		"192-168-1-20", "ip-10-0-0-5", "192.168.1.20", "fe80::1", "00:11:22:33:44:55", "00-11-22-33-44-55", "NPI4F7A01", "BRW001122334455",
		"SEP001122334455", "DESKTOP-AB12CD3", "LAPTOP-0Q1W2E3", "LAPTOP-K3J9F2Q1", "0x00158d0001a2b3c4", "Chromecast-Ultra-1f2e3d4c5b6a79881f2e3d4c5b6a7988",
		"HP1A2B3C4D", "wiz_a1b2c3", "RokuUltra-YN00AB123456", "5c02144e-1234-4abc-9def-001122334455",
	} {
		if !machineMade(name) {
			t.Errorf("%q passes for a name that a person gave", name)
		}
	}
	for _, name := range []string{
		"annas-iphone", "nas", "fritz.box", "Living-Room-TV", "pi4", "proxmox2", "PS5-123", "ender-3-pro", "printer-2024", "MacBook-Pro-2",
		"cafe", "facade", "deadbolt", "decade", "OctoPi", "unifi-ap-1", "homeassistant", "Galaxy-S21", "kitchen-display",
	} {
		if machineMade(name) {
			t.Errorf("%q passes for machine-made", name)
		}
	}
}

func FuzzTitle(f *testing.F) {
	f.Add("[TV] Samsung (192.168.1.2) - 1A2B3C", "shelly-1A2B3C")
	f.Fuzz(func(t *testing.T, name, host string) {
		all := []Device{shows("3c6105a1b2c3", Device{Device: discovery.Device{Name: name}}, map[fact.Fact[string]]string{fact.DeviceHostname: host})}
		Titles(all)
		if got := all[0].Title; got == "" || got != fact.Clean(got, 100) {
			t.Fatalf("title of %q, %q: %q", name, host, got)
		}
	})
}
