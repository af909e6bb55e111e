package dnssd

import (
	"slices"
	"strings"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// reading says that a key of a service's TXT record gives a word.
type reading struct {
	types string // service types, with spaces
	key   string
	word  fact.Fact[string]
	// values translates; nil takes the text as it stands.
	values map[string]string
}

const (
	hapTypes     = "_hap._tcp _hap._udp"
	printerTypes = "_ipp._tcp _ipps._tcp _printer._tcp _pdl-datastream._tcp"
)

// readings is sorted by trust: the first that has a value gives the word.
// Sources: HomeKit Accessory Protocol, non-commercial version, table 6-7 and
// chapter 13 (categories); Matter core specification, section 4.3 (DT is a
// device type of the device library); Bonjour Printing Specification 1.2
// (ty, usb_MFG); ESPHome mdns component (version); Shelly API documentation,
// mDNS discovery (app, ver).
var readings = []reading{
	{hapTypes, "md", fact.DeviceModel, nil},
	{"_shelly._tcp", "app", fact.DeviceModel, nil},
	{"_googlecast._tcp", "md", fact.DeviceModel, nil},
	{"_airplay._tcp", "model", fact.DeviceModel, nil},
	{printerTypes, "ty", fact.DeviceModel, nil},
	{printerTypes, "usb_mfg", fact.DeviceManufacturer, nil},
	{"_esphomelib._tcp", "version", fact.DeviceFirmware, nil},
	{"_shelly._tcp", "ver", fact.DeviceFirmware, nil},
	{hapTypes, "ci", fact.DeviceClass, map[string]string{"2": "bridge", "5": "light", "6": "lock", "7": "plug", "17": "camera"}},
	{"_matterc._udp", "dt", fact.DeviceClass, map[string]string{"10": "lock", "14": "bridge", "256": "light", "266": "plug"}},
}

// names says where the best name for people stands: a TXT key, or the instance
// name itself if the key is empty.
var names = []struct{ typ, key string }{
	{"_googlecast._tcp", "fn"},
	{"_esphomelib._tcp", "friendly_name"},
	{"_hap._tcp", ""}, {"_hap._udp", ""},
	{"_matterc._udp", "dn"},
	{"_airplay._tcp", ""},
	{"_androidtvremote2._tcp", ""}, {"_androidtvremote._tcp", ""},
	{"_ipps._tcp", ""}, {"_ipp._tcp", ""}, {"_printer._tcp", ""}, {"_pdl-datastream._tcp", ""},
	{"_home-assistant._tcp", ""},
	{"_smb._tcp", ""},
	{"_http._tcp", ""},
}

// kinds are the keys of TXT records that say what sort of thing a host is, in the
// spelling of many makers; no serial numbers, and no names that an owner gave.
var kinds = []string{
	"am", "app", "arch", "board", "brand", "ci", "devicetype", "dt", "ff", "gen", "hw", "integrator", "manufacturer", "md", "mdl", "mf",
	"mfg", "model", "model_number", "modelid", "modelname", "os", "platform", "product", "product_name", "product_type", "project_name",
	"project_version", "rpmd", "systype", "ty", "usb_mdl", "usb_mfg", "vendor", "ver", "version", "vp",
}

// setTXT sets what the host's TXT records say of its kind.
func setTXT(ev *fact.Evidence, all []Instance) {
	var items, types []string
	for _, i := range all {
		if i.shared() {
			continue
		}
		for _, key := range kinds {
			if v := fact.Clean(i.TXT[key], fact.MaxText-len(key)-1); v != "" {
				items, types = append(items, key+"="+v), append(types, i.Type)
			}
		}
	}
	if len(items) == 0 {
		return
	}
	slices.Sort(items)
	slices.Sort(types)
	fact.MDNSTXT.Set(ev, slices.Compact(items), strings.Join(slices.Compact(types), ", "))
}

// shared reports whether the instance is another device's that this host passes
// on: a CUPS server shares its printers as "printers/<name>".
func (i Instance) shared() bool { return strings.HasPrefix(i.TXT["rp"], "printers/") }

// read sets the words of the table. What instances disagree on, as those of
// several accessories in one program do, stays unknown.
func read(ev *fact.Evidence, all []Instance) {
	type finding struct {
		word         fact.Fact[string]
		value, proof string
		disputed     bool
	}
	found := map[string]*finding{}
	for row, r := range readings {
		first := -1 // row that gave the word
		for _, i := range all {
			v, ok := i.TXT[r.key]
			if r.values != nil {
				v = r.values[v]
			}
			if v = fact.Clean(v, fact.MaxText); !ok || v == "" || i.shared() || !slices.Contains(strings.Fields(r.types), i.Type) {
				continue
			}
			switch f := found[r.word.Name()]; {
			case f == nil:
				found[r.word.Name()] = &finding{word: r.word, value: v, proof: i.Type + " " + r.key + "=" + i.TXT[r.key]}
				first = row
			case f.value != v && (first == row || r.values != nil):
				f.disputed = true // a class must be the same by all rows
			}
		}
	}
	for _, f := range found {
		if !f.disputed {
			f.word.Set(ev, f.value, f.proof)
		}
	}
}

// BestName returns the name that people would use, from the first type of which
// the host has just one; empty if there is none.
func BestName(all []Instance) string {
	for _, n := range names {
		found := map[string]bool{}
		for _, i := range all {
			v := i.Name
			if n.key != "" {
				v = i.TXT[n.key]
			}
			if i.Type == n.typ && v != "" && !i.shared() {
				found[v] = true
			}
		}
		if len(found) == 1 {
			for v := range found {
				return v
			}
		}
	}
	return ""
}
