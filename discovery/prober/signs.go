package prober

import (
	"regexp"
	"slices"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Signs are how a product shows itself to those who have not asked it, so that
// only devices are probed that are likely to be one. Those of an empty Signs show
// nothing.
type Signs struct {
	Products []string       // values of device.product
	Service  string         // that it announces by multicast DNS
	Host     *regexp.Regexp // its host name, until the owner changes it
	Page     *regexp.Regexp // title, server or realm of its front page
	// Script matches the address of a script or style sheet of its front page, or
	// an element that no other page has, as "<name".
	Script *regexp.Regexp
}

// On reports whether a device that can be asked shows the signs: it is the Applies
// of a product's probe.
func (s *Signs) On(d discovery.Device, ev *fact.Evidence) bool {
	if !Reachable(d, ev) {
		return false
	}
	if p, _ := fact.DeviceProduct.Get(ev); slices.Contains(s.Products, p) {
		return true
	}
	if slices.ContainsFunc(d.Services, func(x discovery.Service) bool { return s.Service != "" && x.Name == s.Service }) {
		return true
	}
	hostname, _ := fact.DeviceHostname.Get(ev)
	if match(s.Host, hostname) || match(s.Host, d.Name) {
		return true
	}
	return slices.ContainsFunc([]fact.Fact[string]{fact.HTTPTitle, fact.HTTPServer, fact.HTTPRealm}, func(w fact.Fact[string]) bool {
		text, _ := w.Get(ev)
		return match(s.Page, text)
	})
}

// onPage reports whether a front page shows the signs.
func (s *Signs) onPage(texts, scripts []string) bool {
	return slices.ContainsFunc(texts, func(t string) bool { return match(s.Page, t) }) ||
		slices.ContainsFunc(scripts, func(t string) bool { return match(s.Script, t) })
}

func match(re *regexp.Regexp, s string) bool { return re != nil && re.MatchString(s) }

// HasOwnProbe reports whether a front page is that of a product with a probe of its
// own, which knows better than others what the page lets anyone do. Texts are its
// title, server and realm; scripts what Signs.Script matches.
func (t *Target) HasOwnProbe(texts, scripts []string) bool {
	return slices.ContainsFunc(t.probes, func(p *Probe) bool { return p.Signs != nil && p.Signs.onPage(texts, scripts) })
}
