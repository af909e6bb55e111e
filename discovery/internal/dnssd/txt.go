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
	{"_ipps._tcp", ""}, {"_ipp._tcp", ""}, {"_printer._tcp", ""}, {"_pdl-datastream._tcp", ""},
	{"_home-assistant._tcp", ""},
	{"_smb._tcp", ""},
	{"_http._tcp", ""},
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
