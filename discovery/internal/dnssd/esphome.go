package dnssd

import (
	"strconv"
	"strings"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// reportsKeySince is the year since which ESPHome always announces whether its API is
// encrypted; for older versions a missing key means nothing.
const reportsKeySince = 2025

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
		case err == nil && n >= reportsKeySince:
			fact.ControlEncrypted.Set(ev, false, i.Type+" version="+i.TXT["version"]+" without api_encryption")
			return
		}
	}
}
