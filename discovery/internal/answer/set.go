package answer

import (
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Unknown marks words as unknown that are not known.
func Unknown(e *fact.Evidence, why fact.Why, words []string) {
	for _, w := range words {
		e.MarkUnknown(w, why)
	}
}

// WhyStatus is what a status other than 200 says of what was asked for.
func WhyStatus(status int) fact.Why {
	if status == 401 || status == 403 {
		return fact.Refused
	}
	return fact.NotTold
}

func SetText(e *fact.Evidence, w fact.Fact[string], v, proof string) {
	if fact.Clean(v, fact.MaxText) == "" {
		w.Unknown(e, fact.NotTold)
		return
	}
	w.Set(e, v, proof)
}

// SetDate sets the date of a firmware if its version tells it.
func SetDate(e *fact.Evidence, platform, version, proof string, now time.Time) {
	if day, ok := discovery.FirmwareDate(platform, version, now); ok {
		fact.DeviceFirmwareDate.Set(e, day, proof)
		return
	}
	fact.DeviceFirmwareDate.Unknown(e, fact.NotTold)
}
