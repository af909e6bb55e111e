// Package igd asks routers by UPnP for their port mappings (UPnP Forum, InternetGatewayDevice).
package igd

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/upnp"
	"github.com/thingwarden/thingwarden/discovery/internal/wan"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe asks a router that offers UPnP for its port mappings.
var Probe = &prober.Probe{
	Name:  "igd",
	Doc:   "Asks a router that offers UPnP (Internet Gateway Device 1 and 2) which port mappings it has, whether its line is up, whether its outside address is a private one and whether its IPv6 firewall is on; adds and removes no mapping.",
	Touch: prober.Read,
	Gives: []string{
		fact.IGDOn.Name(), fact.IPv6FirewallOn.Name(), fact.IPv6PinholesAllowed.Name(), fact.WANMappingsComplete.Name(),
		fact.WANNested.Name(), fact.WANPortMappings.Name(),
	},
	Every:   30 * time.Minute,
	Needs:   []string{fact.IGDLocation.Name()},
	Located: true,
	Applies: func(d discovery.Device, ev *fact.Evidence) bool {
		_, offers := fact.IGDLocation.Get(ev)
		return offers && prober.Reachable(d, ev)
	},
	Run: run,
}

const (
	maxMappings   = 256
	maxWANService = 4 // a router with several lines has one service for each
	// igdBudget is how long the port mappings may take; a slow router needs 80 ms
	// for each.
	igdBudget = 90 * time.Second

	firewallService = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1"
)

// wanServices control an Internet line (UPnP Forum, WANIPConnection:1 and :2,
// WANPPPConnection:1). They share the actions used here.
var wanServices = []string{
	"urn:schemas-upnp-org:service:WANIPConnection:1",
	"urn:schemas-upnp-org:service:WANIPConnection:2",
	"urn:schemas-upnp-org:service:WANPPPConnection:1",
}

// Error numbers of UPnP that are met here (WANIPConnection:1 section 2.4.15 and
// UPnP Device Architecture 1.1 table 3-3).
const (
	invalidAction      = 401
	invalidArgs        = 402
	unassigned         = 500 // by no standard: some routers, for no such entry
	actionFailed       = 501
	notImplemented     = 602
	indexOutOfRange    = 713
	noSuchEntryInArray = 714
)

func run(ctx context.Context, t *prober.Target, report func(discovery.Observation)) error {
	location, _ := fact.IGDLocation.Get(t.Known())
	g := &gateway{target: t, soap: &upnp.Client{}, facts: t.Evidence(), until: time.Now().Add(igdBudget)}
	defer g.soap.Close()
	d, err := upnp.Fetch(ctx, t, location)
	if err == nil {
		g.description = d
		g.read(ctx)
	} else {
		g.unknown(err, location)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	o := discovery.Observation{About: t.About(), Facts: g.facts}
	if _, known := fact.WANPortMappings.Get(g.facts); known {
		o.PortMappings = append([]discovery.PortMapping{}, g.mappings...)
	}
	report(o)
	return nil
}

// gateway is one look at a router.
type gateway struct {
	target      *prober.Target
	soap        *upnp.Client
	facts       *fact.Evidence
	description upnp.Description
	until       time.Time

	mappings []discovery.PortMapping
	// missed says why the list of port mappings is not whole; "" if it is, for all
	// that is known.
	missed  string
	why     fact.Why
	foreign bool // the list has a mapping of another device than the hub
}

// Unknown sets the words when there is no description. A closed port is
// knowledge: nothing is there that would map ports.
func (g *gateway) unknown(err error, location string) {
	why := prober.WhyOf(err)
	if errors.Is(err, prober.ErrClosed) {
		fact.IGDOn.Set(g.facts, false, location+" refused")
	}
	fact.IGDOn.Unknown(g.facts, why)
	g.unknownLine(why)
}

func (g *gateway) unknownLine(why fact.Why) {
	fact.WANPortMappings.Unknown(g.facts, why)
	fact.WANMappingsComplete.Unknown(g.facts, why)
	fact.WANNested.Unknown(g.facts, why)
	fact.IPv6FirewallOn.Unknown(g.facts, why)
	fact.IPv6PinholesAllowed.Unknown(g.facts, why)
}

func (g *gateway) read(ctx context.Context) {
	var lines, firewalls []upnp.Service
	for _, s := range g.description.Services {
		if slices.Contains(wanServices, s.Kind) && len(lines) < maxWANService {
			lines = append(lines, s)
		}
		if s.Kind == firewallService && len(firewalls) == 0 {
			firewalls = append(firewalls, s)
		}
	}
	why, proof := g.hasNoLine(ctx, lines)
	g.soap.Close() // one connection at a time
	if proof != "" || why != "" {
		// An access point, or a router in a mode in which it is none.
		if fact.IGDOn.Unknown(g.facts, why); proof != "" {
			fact.IGDOn.Set(g.facts, false, proof)
		}
		g.unknownLine(fact.NotReported)
		return
	}
	g.readActions(ctx, lines)
	g.readAllMappings(ctx, lines)
	g.readExternalAddress(ctx, lines)
	g.readFirewall(ctx, firewalls)
}

// hasNoLine asks a device that is not the home's way out, as far as that is known,
// whether it has a line of its own: many a box describes a gateway in whatever mode
// it is used. It returns proof that it has none, or why that is not known.
func (g *gateway) hasNoLine(ctx context.Context, lines []upnp.Service) (why fact.Why, proof string) {
	if gateway, _ := fact.WANGateway.Get(g.target.Known()); gateway || len(lines) == 0 {
		return "", ""
	}
	why = fact.NotReported
	for _, s := range lines {
		at, err := g.description.At(g.target, s.Control)
		if err != nil {
			why = prober.WhyOf(err)
			continue
		}
		if m, err := g.soap.Call(ctx, at, s.Kind, "GetExternalIPAddress"); err == nil {
			if a, err := netip.ParseAddr(m["NewExternalIPAddress"]); err == nil && !a.IsUnspecified() {
				return "", ""
			} else if err == nil {
				proof = "GetExternalIPAddress: " + a.String()
			}
		}
		if m, err := g.soap.Call(ctx, at, s.Kind, "GetStatusInfo"); err == nil && m["NewConnectionStatus"] != "" {
			if status := m["NewConnectionStatus"]; status != "Connected" {
				proof = "GetStatusInfo: " + status
			}
		} else if err != nil && proof == "" {
			why = whyOfFault(err)
		}
	}
	if proof != "" {
		return "", "not the home's way to the Internet, and no line: " + proof
	}
	return why, ""
}

// readActions reads which actions the services offer. That a router offers AddPortMapping
// does not show that it carries it out: a FRITZ!Box does so only for devices that
// its owner has ticked (606 otherwise). No mapping is tried, so the policy is no
// more than likely.
func (g *gateway) readActions(ctx context.Context, lines []upnp.Service) {
	why := fact.Why("")
	if g.description.Partly {
		why = fact.Unreadable
	}
	for _, s := range lines {
		offers, err := g.offers(ctx, s, "AddPortMapping")
		if offers {
			fact.IGDOn.Set(g.facts, true, short(s.Kind)+": AddPortMapping")
			return
		}
		if err != nil {
			why = prober.WhyOf(err)
		}
	}
	switch {
	case why != "":
		fact.IGDOn.Unknown(g.facts, why)
	case len(lines) == 0:
		fact.IGDOn.Set(g.facts, false, "no WANIPConnection, no WANPPPConnection")
	default:
		fact.IGDOn.Set(g.facts, false, "no AddPortMapping")
	}
}

func (g *gateway) offers(ctx context.Context, s upnp.Service, action string) (bool, error) {
	at, err := g.description.At(g.target, s.SCPD)
	if err != nil {
		return false, err
	}
	r, err := at.Target.Get(ctx, at.Port, at.URL.RequestURI())
	if err != nil {
		return false, err
	}
	if r.Status != 200 {
		return false, prober.ErrUnreadable
	}
	root, err := upnp.ParseXML(r.Body)
	if root == nil || root.Name != "scpd" {
		return false, cmp.Or(err, prober.ErrUnreadable)
	}
	found := false
	root.Child("actionList").Each("action", func(e *upnp.Element) { found = found || e.Value("name") == action })
	if found {
		return true, nil
	}
	return false, err // of a list that breaks off nothing is known
}

// readExternalAddress asks for the address that the router has outside. It is not kept:
// only whether it is a private one.
func (g *gateway) readExternalAddress(ctx context.Context, lines []upnp.Service) {
	why := fact.NotReported
	for _, s := range lines {
		at, err := g.description.At(g.target, s.Control)
		var m map[string]string
		if err == nil {
			m, err = g.soap.Call(ctx, at, s.Kind, "GetExternalIPAddress")
		}
		if err != nil && m == nil {
			why = whyOfFault(err)
			continue
		}
		a, err := netip.ParseAddr(m["NewExternalIPAddress"])
		if err != nil {
			why = fact.Unreadable
		} else if wan.SetNested(g.facts, a, "GetExternalIPAddress") {
			return
		}
	}
	fact.WANNested.Unknown(g.facts, why)
}

func (g *gateway) readFirewall(ctx context.Context, services []upnp.Service) {
	for _, s := range services {
		at, err := g.description.At(g.target, s.Control)
		var m map[string]string
		if err == nil {
			m, err = g.soap.Call(ctx, at, s.Kind, "GetFirewallStatus")
		}
		if err != nil {
			fact.IPv6FirewallOn.Unknown(g.facts, whyOfFault(err))
			fact.IPv6PinholesAllowed.Unknown(g.facts, whyOfFault(err))
			return
		}
		g.setBool(fact.IPv6FirewallOn, "FirewallEnabled", m)
		g.setBool(fact.IPv6PinholesAllowed, "InboundPinholeAllowed", m)
	}
	fact.IPv6FirewallOn.Unknown(g.facts, fact.NotReported)
	fact.IPv6PinholesAllowed.Unknown(g.facts, fact.NotReported)
}

func (g *gateway) setBool(word fact.Fact[bool], name string, m map[string]string) {
	if v := m[name]; isYes(v) || isNo(v) {
		word.Set(g.facts, isYes(v), "GetFirewallStatus: "+name+"="+v)
		return
	}
	word.Unknown(g.facts, fact.Unreadable)
}

// short returns "WANIPConnection:1" of a service's type.
func short(service string) string {
	return strings.TrimPrefix(service, "urn:schemas-upnp-org:service:")
}
