package product

import (
	"slices"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// signWords are the words that a card can read. Those that are true of a device
// whatever it answers are marked: they may stand beside the signs of any answer.
// Weak ones are chosen by the owner or shared with other makers, and prove
// nothing by themselves.
var signWords = map[string]struct{ anyAnswer, weak bool }{
	"http.title":         {},
	"http.server":        {},
	"http.realm":         {},
	"http.generator":     {},
	"tls.subject":        {},
	"tls.issuer":         {},
	"rtsp.server":        {},
	"sip.server":         {},
	"telnet.banner":      {},
	"ssh.banner":         {},
	"ftp.banner":         {},
	"mdns.services":      {},
	"mdns.txt":           {},
	"upnp.friendly_name": {},
	"upnp.manufacturer":  {},
	"upnp.model":         {},
	"upnp.model_number":  {},
	"upnp.device_type":   {},
	"ssdp.server":        {},
	"dhcp.hostname":      {weak: true},
	"dhcp.vendor_class":  {},
	"dhcp.params":        {weak: true},
	"wsd.types":          {},
	"wsd.scopes":         {},
	"netbios.name":       {weak: true},
	"dns.name":           {weak: true},
	"device.hostname":    {anyAnswer: true, weak: true},
	"device.mac_vendor":  {anyAnswer: true, weak: true},
}

// SignWords returns the names of the words that a card can read, sorted.
func SignWords() []string {
	names := make([]string, 0, len(signWords))
	for name := range signWords {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// groups are the named parts of a pattern that become values, with the word
// that each sets.
var groups = map[string]string{
	"maker":   fact.DeviceManufacturer.Name(),
	"model":   fact.DeviceModel.Name(),
	"version": fact.DeviceFirmware.Name(),
	"name":    fact.DeviceFriendlyName.Name(),
}
