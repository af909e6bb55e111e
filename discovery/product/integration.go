package product

import (
	_ "embed"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// integrationTable says by which signs integrations of Home Assistant find
// devices. `make data` writes it from the PyPI package homeassistant; a line is a
// kind and fields with tabs between them:
//
//	name     domain  name          brand        class     the last two may be empty
//	dhcp     domain  host name     MAC address            globs, lower case; either may be empty
//	mdns     domain  service type  name         key=glob …
//	homekit  domain  model
//	upnp     domain  word=value …
//
//go:embed homeassistant.tsv
var integrationTable string

// Integration is what we know of an integration of Home Assistant.
type Integration struct {
	Domain string
	Name   string // as Home Assistant shows it
	brand  string
	class  string // if all its devices are of one
}

// integrations finds the integrations that know a device.
type integrations struct {
	byDomain map[string]Integration
	dhcp     []dhcpMatcher
	services map[string][]serviceMatcher
	models   map[string]string
	upnp     []upnpMatcher
}

type dhcpMatcher struct{ domain, host, mac string }

type serviceMatcher struct {
	domain, name string
	txt          []string
}

type upnpMatcher struct {
	domain string
	signs  [][2]string // word and value
}

func newIntegrations(table string) *integrations {
	in := &integrations{byDomain: map[string]Integration{}, services: map[string][]serviceMatcher{}, models: map[string]string{}}
	for row := range strings.Lines(table) {
		f := strings.Split(strings.TrimSuffix(row, "\n"), "\t")
		switch {
		case f[0] == "name" && len(f) == 5:
			in.byDomain[f[1]] = Integration{Domain: f[1], Name: f[2], brand: f[3], class: f[4]}
		case f[0] == "dhcp" && len(f) == 4:
			in.dhcp = append(in.dhcp, dhcpMatcher{f[1], f[2], f[3]})
		case f[0] == "mdns" && len(f) >= 4:
			in.services[f[2]] = append(in.services[f[2]], serviceMatcher{f[1], strings.ToLower(f[3]), f[4:]})
		case f[0] == "homekit" && len(f) == 3:
			in.models[f[2]] = f[1]
		case f[0] == "upnp" && len(f) >= 3:
			m := upnpMatcher{domain: f[1]}
			for _, sign := range f[2:] {
				word, value, _ := strings.Cut(sign, "=")
				m.signs = append(m.signs, [2]string{word, value})
			}
			in.upnp = append(in.upnp, m)
		}
	}
	return in
}

// Integration returns what is known of the integration of that domain.
func (c *Cards) Integration(domain string) (Integration, bool) {
	x, ok := c.integrations.byDomain[domain]
	return x, ok
}

// Suggest returns what is likely of a device besides what its card says: the
// integrations of Home Assistant that can add it, by its card (the product is in
// the evidence) and by Home Assistant's own matchers, as the word
// device.integration; where a matcher is that of one maker or one class, these;
// else the owner of its MAC address as its maker, unless he is known for chips.
// MACs are the device's, names those that it announces.
func (c *Cards) Suggest(ev *fact.Evidence, macs, names []string) *fact.Evidence {
	var found finder
	if id, ok := fact.DeviceProduct.Get(ev); ok {
		if card := c.Card(id); card != nil {
			for _, domain := range card.HomeAssistant {
				found.add(domain, "", "card "+card.Folder, time.Time{})
			}
		}
	}
	c.integrations.byModel(ev, &found)
	c.integrations.byUPnP(ev, &found)
	c.integrations.byDHCP(ev, macs, names, &found)
	c.integrations.byService(ev, names, &found)
	out := fact.New(By, found.at)
	if len(found.domains) > 0 {
		fact.DeviceIntegration.Set(out, found.domains, strings.Join(found.proofs, "; "))
	}
	if found.own != "" {
		c.suggestOwn(&found, out)
	}
	vendor, _ := fact.DeviceMACVendor.Get(ev)
	if maker := c.Maker(vendor); maker != "" && !c.makesChips(maker) {
		if _, known := fact.DeviceManufacturer.Get(out); known {
			return out
		}
		fact.DeviceManufacturer.SetLikely(out, maker, "device.mac_vendor: "+vendor)
	}
	return out
}

func (c *Cards) suggestOwn(found *finder, out *fact.Evidence) {
	x := c.integrations.byDomain[found.own]
	if x.brand == "" && !strings.Contains(x.Name, " ") {
		x.brand = x.Name
	}
	if x.brand != "" {
		fact.DeviceManufacturer.SetLikely(out, x.brand, found.proofs[0])
	}
	if x.class != "" {
		fact.DeviceClass.SetLikely(out, x.class, found.proofs[0])
	}
}

// finder collects what matchers find.
type finder struct {
	domains, proofs []string
	own             string // the domain that all matchers of one maker name
	at              time.Time
}

// add notes an integration. Own is its domain again where the sign is one of the
// maker's own products, not of a protocol that others speak too.
func (f *finder) add(domain, own, proof string, at time.Time) {
	if at.After(f.at) {
		f.at = at
	}
	if own != "" && f.own == "" && len(f.domains) == 0 {
		f.own = own
	}
	if !slices.Contains(f.domains, domain) {
		f.domains = append(f.domains, domain)
		f.proofs = append(f.proofs, proof)
	}
	if own != "" && own != f.own {
		f.own = ""
	}
}

// byModel matches the model of a HomeKit accessory as Home Assistant does: the
// whole, or its beginning before a space or hyphen.
func (in *integrations) byModel(ev *fact.Evidence, found *finder) {
	services, _ := fact.MDNSServices.Get(ev)
	if !slices.Contains(services, "_hap._tcp") && !slices.Contains(services, "_hap._udp") {
		return
	}
	txt, _ := fact.MDNSTXT.Get(ev)
	n, _ := ev.Entry(fact.MDNSTXT.Name())
	for _, item := range txt {
		model, ok := strings.CutPrefix(item, "md=")
		for i := 0; ok && i <= len(model); i++ {
			if i < len(model) && model[i] != ' ' && model[i] != '-' {
				continue
			}
			if domain := in.models[model[:i]]; domain != "" {
				found.add(domain, domain, "mdns.txt: "+item, n.At)
			}
		}
	}
}

func (in *integrations) byUPnP(ev *fact.Evidence, found *finder) {
next:
	for _, m := range in.upnp {
		proof, at := "", time.Time{}
		for _, sign := range m.signs {
			n, _ := ev.Entry(sign[0])
			if n.Value != sign[1] {
				continue next
			}
			proof, at = sign[0]+": "+sign[1], n.At
		}
		found.add(m.domain, "", proof, at)
	}
}

func (in *integrations) byDHCP(ev *fact.Evidence, macs, names []string, found *finder) {
	hosts := lowered(names)
	for _, word := range []fact.Fact[string]{fact.DHCPHostname, fact.DeviceHostname} {
		if v, ok := word.Get(ev); ok {
			hosts = append(hosts, strings.ToLower(v))
		}
	}
	plain := make([]string, 0, len(macs))
	for _, mac := range macs {
		plain = append(plain, strings.ToLower(strings.ReplaceAll(mac, ":", "")))
	}
	for _, m := range in.dhcp {
		host, mac := anyGlob(m.host, hosts), anyGlob(m.mac, plain)
		if m.host != "" && host == "" || m.mac != "" && mac == "" {
			continue
		}
		found.add(m.domain, m.domain, strings.TrimSpace("device: "+host+" "+mac), time.Time{})
	}
}

func (in *integrations) byService(ev *fact.Evidence, names []string, found *finder) {
	services, _ := fact.MDNSServices.Get(ev)
	txt, _ := fact.MDNSTXT.Get(ev)
	items, hosts := lowered(txt), lowered(names)
	n, _ := ev.Entry(fact.MDNSServices.Name())
	for _, service := range services {
		for _, m := range in.services[strings.ToLower(service)] {
			if m.name != "" && anyGlob(m.name, hosts) == "" {
				continue
			}
			if slices.ContainsFunc(m.txt, func(want string) bool { return anyGlob(want, items) == "" }) {
				continue
			}
			found.add(m.domain, "", "mdns.services: "+service, n.At)
		}
	}
}

func lowered(in []string) []string {
	out := make([]string, 0, len(in)+2)
	for _, s := range in {
		out = append(out, strings.ToLower(s))
	}
	return out
}

// anyGlob returns the first text that a glob fits, or "". Home Assistant's are
// those of Python's fnmatch without negation, which path.Match reads alike but
// for a slash.
func anyGlob(glob string, texts []string) string {
	for _, s := range texts {
		if ok, err := path.Match(glob, s); ok && err == nil && s != "" {
			return s
		}
	}
	return ""
}
