package dnssd

import (
	"strconv"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// platforms are the service types that only one family of firmware announces
// (ESPHome mdns component; Shelly API documentation, mDNS discovery).
var platforms = map[string]string{"_esphomelib._tcp": "esphome", "_shelly._tcp": "shelly"}

// setPlatform says which family of firmware a host announces, and what follows
// from it. The device itself, when asked, knows better.
func setPlatform(ev *fact.Evidence, all []Instance, clock time.Time) {
	platform, typ := "", ""
	for _, i := range all {
		switch p := platforms[i.Type]; {
		case p == "" || p == platform:
		case platform != "":
			return // it claims to be two things
		default:
			platform, typ = p, i.Type
		}
	}
	if platform == "" {
		return
	}
	fact.DeviceProduct.Set(ev, platform, typ)
	if platform == "esphome" {
		setEncrypted(ev, all)
	}
	if version, ok := fact.DeviceFirmware.Get(ev); ok {
		if day, ok := discovery.FirmwareDate(platform, version, clock); ok {
			fact.DeviceFirmwareDate.Set(ev, day, typ+" version="+version)
		}
	}
}

// tellsSince is the year since which ESPHome surely tells whether its API is
// encrypted; of older versions silence says nothing.
const tellsSince = 2025

// setEncrypted reads whether ESPHome's API has a key: api_encryption says that it
// has one, api_encryption_supported that it could and has none yet, and
// api_provisioning=zero-psk that whoever comes first may set it.
func setEncrypted(ev *fact.Evidence, all []Instance) {
	for _, i := range all {
		if i.Type != "_esphomelib._tcp" {
			continue
		}
		_, key := i.TXT["api_encryption"]
		_, waits := i.TXT["api_encryption_supported"]
		provisioning := i.TXT["api_provisioning"]
		year, _, _ := strings.Cut(i.TXT["version"], ".")
		n, err := strconv.Atoi(year)
		switch {
		case provisioning == "zero-psk":
			fact.ControlEncrypted.Set(ev, false, i.Type+" api_provisioning="+provisioning)
			return
		case key:
			if _, plain := fact.ControlEncrypted.Get(ev); !plain {
				fact.ControlEncrypted.Set(ev, true, i.Type+" api_encryption")
			}
		case waits:
			fact.ControlEncrypted.Set(ev, false, i.Type+" api_encryption_supported")
			return
		case err == nil && n >= tellsSince:
			fact.ControlEncrypted.Set(ev, false, i.Type+" version="+i.TXT["version"]+" without api_encryption")
			return
		}
	}
}
