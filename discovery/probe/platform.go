package probe

import (
	"regexp"
	"slices"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// hint is how a product shows itself to those who have not asked it, so that
// only devices are asked that are likely to be one.
type hint struct {
	platform string         // a value of fact.DeviceProduct
	service  string         // that it announces by multicast DNS; "" if none
	host     *regexp.Regexp // its host name, until the owner changes it; nil if that says nothing
	page     *regexp.Regexp // title, server or realm of its front page; nil if they say nothing
}

var hints = []hint{
	{"esphome", "_esphomelib._tcp", nil, nil},
	{"shelly", "_shelly._tcp", shellyName, regexp.MustCompile(`(?i)^shelly`)},
	{"tasmota", "", regexp.MustCompile(`(?i)^tasmota[_-]`), regexp.MustCompile(`(?i)\btasmota\b`)},
}

// shellyName is how all generations name themselves: shelly1pm-98CDAC1F0B2E,
// ShellyPlus1-a8032ab12345.
var shellyName = regexp.MustCompile(`(?i)^shelly[a-z0-9]*-[0-9a-f]{6,12}$`)

// looksLike returns an Applies: whether a device that can be asked shows itself
// as one of a platform.
func looksLike(platform string) func(discovery.Device, *fact.Evidence) bool {
	h := hints[slices.IndexFunc(hints, func(h hint) bool { return h.platform == platform })]
	return func(d discovery.Device, ev *fact.Evidence) bool {
		if !reachable(d, ev) {
			return false
		}
		if p, _ := fact.DeviceProduct.Get(ev); p == platform {
			return true
		}
		if slices.ContainsFunc(d.Services, func(s discovery.Service) bool { return h.service != "" && s.Name == h.service }) {
			return true
		}
		hostname, _ := fact.DeviceHostname.Get(ev)
		if match(h.host, hostname) || match(h.host, d.Name) {
			return true
		}
		return slices.ContainsFunc([]fact.Fact[string]{fact.HTTPTitle, fact.HTTPServer, fact.HTTPRealm}, func(w fact.Fact[string]) bool {
			text, _ := w.Get(ev)
			return match(h.page, text)
		})
	}
}

func match(re *regexp.Regexp, s string) bool { return re != nil && re.MatchString(s) }

// ofProduct reports whether a front page is that of a product with a probe of its
// own, which knows better than we whether it asks for a password.
func (p page) ofProduct() bool {
	return slices.ContainsFunc(hints, func(h hint) bool {
		return match(h.page, p.title) || match(h.page, p.server) || match(h.page, p.realm)
	}) || p.form.esphome
}

// announcedPort returns the TCP port under which a device announces a service,
// or the usual one.
func announcedPort(d discovery.Device, service string, usual uint16) uint16 {
	for _, s := range d.Services {
		if s.Name == service && s.Proto == "tcp" && s.Port > 0 && s.Port < 1<<16 {
			return uint16(s.Port)
		}
	}
	return usual
}
