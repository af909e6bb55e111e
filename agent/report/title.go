package report

import (
	"cmp"
	"strings"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// maxTitle is the longest title in runes, without what tells it from others.
const maxTitle = 64

// Titles gives each device the one name by which the owner reads of it anywhere:
// the owner's own; Home Assistant's or the bridge's; one that the device
// announces; a host name that a person would know; the product; else the maker
// and the end of its address. Devices of one name are told apart by room, model
// or the end of their addresses; only names that the owner gave stay as they are.
func Titles(devices []Device) {
	same := map[string][]*Device{}
	for i := range devices {
		d := &devices[i]
		d.Title, d.Identified = title(d)
		if d.ID != discovery.Hub {
			key := strings.ToLower(d.Title)
			same[key] = append(same[key], d)
		}
	}
	for _, group := range same {
		if len(group) > 1 {
			distinguish(group)
		}
	}
}

// title is the title of a device by itself, and whether it is more than a part of
// its address.
func title(d *Device) (title string, identified bool) {
	if d.ID == discovery.Hub {
		return cmp.Or(fact.Clean(d.Name, maxTitle), "Thingwarden"), true
	}
	if name := fact.Clean(d.Name, maxTitle); name != "" && d.Owned {
		return name, true
	}
	for _, name := range []string{d.Name, text(d, fact.DeviceFriendlyName), text(d, fact.UPnPFriendlyName)} {
		if name = announced(fact.Clean(name, maxTitle)); name != "" {
			return name, true
		}
	}
	for _, w := range []fact.Fact[string]{fact.DeviceHostname, fact.DHCPHostname, fact.DNSName, fact.NetBIOSName} {
		if host := hostName(fact.Clean(text(d, w), maxTitle)); host != "" {
			return host, true
		}
	}
	if name := product(d); name != "" {
		return name, true
	}
	return lastResort(d), false
}

// text returns the value of a word of text, or "".
func text(d *Device, word fact.Fact[string]) string {
	for i := range d.Facts {
		if d.Facts[i].Name == word.Name() {
			s, _ := d.Facts[i].Value.(string)
			return s
		}
	}
	return ""
}

// product is maker and model, or maker and class; of a radio device with its room.
func product(d *Device) string {
	maker, model := d.Maker, fact.Clean(d.Model, maxTitle)
	if d.Manufacturer == "" {
		maker = "" // it is the owner's of the MAC address
	}
	if machineMade(model) && strings.HasPrefix(strings.ToLower(model), "0x") {
		model = ""
	}
	out := model
	if maker != "" && !strings.HasPrefix(strings.ToLower(model), strings.ToLower(maker)) {
		out = strings.TrimSpace(maker + " " + model)
	}
	switch {
	case out == "", model == "" && class(d) == "device": // a maker alone names nothing
		return ""
	case model == "":
		out += " " + class(d)
	}
	if room := fact.Clean(text(d, fact.DeviceArea), maxTitle); room != "" && (d.Kind == "zigbee" || d.Kind == "zwave") {
		out += " (" + room + ")"
	}
	return fact.Clean(out, maxTitle)
}

// classNames are the classes whose name is not what an owner would say.
var classNames = map[string]string{"accesspoint": "access point", "networkswitch": "network switch", "other": "device", "": "device",
	"storage": "network storage", "media": "media player", "tv": "TV", "ups": "UPS", "garage": "garage door"}

func class(d *Device) string {
	if name, ok := classNames[d.Class]; ok {
		return name
	}
	return d.Class
}

// lastResort is what is left when nothing but an address is known.
func lastResort(d *Device) string {
	what := class(d)
	for _, i := range d.IDs {
		switch i.Kind {
		case discovery.ZWaveID:
			_, node, _ := strings.Cut(i.Value, "_")
			return "Z-Wave " + what + " " + fact.Clean(node, 10)
		case discovery.ZigbeeID:
			return "Zigbee " + what + " " + ending(i.Value, 4)
		case discovery.MACID:
			return fact.Clean(cmp.Or(d.Maker, "Unknown")+" "+what, maxTitle) + " " + ending(i.Value, 4)
		}
	}
	if all := d.Addrs(); len(all) > 0 {
		return "Unknown " + what + " " + all[0].WithZone("").String()
	}
	return "Unknown " + what + " " + string(d.ID)
}

// ending is the end of an address, as it is printed on labels.
func ending(hex string, n int) string {
	hex = strings.ToUpper(hex[max(0, len(hex)-n):])
	var parts []string
	for ; len(hex) > 2; hex = hex[2:] {
		parts = append(parts, hex[:2])
	}
	return strings.Join(append(parts, hex), ":")
}

// distinguish gives devices of one title something of their own: the first of room,
// model and end of the address that no two of them share.
func distinguish(group []*Device) {
	owned := 0
	for _, d := range group {
		if d.Owned {
			owned++
		}
	}
	marks := []func(*Device) string{
		func(d *Device) string { return fact.Clean(text(d, fact.DeviceArea), 20) },
		func(d *Device) string { return fact.Clean(d.Model, 20) },
		func(d *Device) string { return tail(d, 4) },
		func(d *Device) string { return tail(d, 6) },
		func(d *Device) string { return string(d.ID) },
	}
	for _, mark := range marks {
		if !distinct(group, mark) {
			continue
		}
		for _, d := range group {
			if owned != 1 || !d.Owned {
				d.Title += " (" + mark(d) + ")"
			}
		}
		return
	}
}

func distinct(group []*Device, mark func(*Device) string) bool {
	seen := map[string]bool{}
	for _, d := range group {
		m := strings.ToLower(mark(d))
		if m == "" || seen[m] || strings.Contains(strings.ToLower(d.Title), m) {
			return false
		}
		seen[m] = true
	}
	return true
}

// tail is the end of the device's strongest address, n hexadecimal digits of it;
// of one without, its number or IP address.
func tail(d *Device, n int) string {
	for _, i := range d.IDs {
		switch i.Kind {
		case discovery.ZWaveID:
			_, node, _ := strings.Cut(i.Value, "_")
			return "node " + node
		case discovery.ZigbeeID, discovery.MACID:
			return ending(i.Value, n)
		}
	}
	if all := d.Addrs(); len(all) > 0 {
		return all[0].WithZone("").String()
	}
	return string(d.ID)
}
