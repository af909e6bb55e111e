package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// IGD asks a router that offers UPnP which doors it keeps open.
var IGD = &prober.Probe{
	Name:  "igd",
	Doc:   "Asks a router that offers UPnP (Internet Gateway Device 1 and 2) which port mappings it has, whether its outside address is a private one and whether its IPv6 firewall is on; adds and removes no mapping.",
	Touch: prober.Read,
	Gives: []string{
		fact.IGDOn.Name(), fact.IPv6FirewallOn.Name(), fact.IPv6PinholesAllowed.Name(), fact.WANDoors.Name(), fact.WANNested.Name(),
	},
	Every: 30 * time.Minute,
	Needs: []string{fact.IGDLocation.Name()},
	Applies: func(d discovery.Device, ev *fact.Evidence) bool {
		_, offers := fact.IGDLocation.Get(ev)
		return offers && reachable(d, ev)
	},
	Run: runIGD,
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
	notAuthorized      = 606
	indexOutOfRange    = 713
	noSuchEntryInArray = 714
)

func runIGD(ctx context.Context, t *prober.Target, report func(discovery.Observation)) error {
	location, _ := fact.IGDLocation.Get(t.Known())
	g := &gateway{target: t, soap: &soapClient{target: t}, facts: t.Evidence(), until: time.Now().Add(igdBudget)}
	defer g.soap.close()
	d, err := fetchDescription(ctx, t, location)
	if err == nil {
		g.description = d
		g.ask(ctx)
	} else {
		g.unknown(err, location)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	report(discovery.Observation{About: t.About(), Facts: g.facts})
	return nil
}

// gateway is one look at a router.
type gateway struct {
	target      *prober.Target
	soap        *soapClient
	facts       *fact.Evidence
	description description
	until       time.Time

	doors []discovery.Door
}

// unknown sets the words when there is no description. A closed port is
// knowledge: nobody is there who would open doors.
func (g *gateway) unknown(err error, location string) {
	why := prober.WhyOf(err)
	if errors.Is(err, prober.ErrClosed) {
		fact.IGDOn.Set(g.facts, false, location+" refused")
	}
	fact.IGDOn.Unknown(g.facts, why)
	fact.WANDoors.Unknown(g.facts, why)
	fact.WANNested.Unknown(g.facts, why)
	fact.IPv6FirewallOn.Unknown(g.facts, why)
	fact.IPv6PinholesAllowed.Unknown(g.facts, why)
}

func (g *gateway) ask(ctx context.Context) {
	var lines, firewalls []upnpService
	for _, s := range g.description.services {
		if slices.Contains(wanServices, s.kind) && len(lines) < maxWANService {
			lines = append(lines, s)
		}
		if s.kind == firewallService && len(firewalls) == 0 {
			firewalls = append(firewalls, s)
		}
	}
	g.askOn(ctx, lines)
	g.askDoors(ctx, lines)
	g.askNested(ctx, lines)
	g.askFirewall(ctx, firewalls)
}

// askOn reads which actions the services offer.
func (g *gateway) askOn(ctx context.Context, lines []upnpService) {
	why := fact.Why("")
	for _, s := range lines {
		offers, err := g.offers(ctx, s, "AddPortMapping")
		if offers {
			fact.IGDOn.Set(g.facts, true, short(s.kind)+": AddPortMapping")
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

func (g *gateway) offers(ctx context.Context, s upnpService, action string) (bool, error) {
	at, err := g.description.at(g.target, s.scpd)
	if err != nil {
		return false, err
	}
	r, err := g.target.Get(ctx, at.port, at.url.RequestURI())
	if err != nil {
		return false, err
	}
	if r.Status != 200 || r.Truncated {
		return false, prober.ErrUnreadable
	}
	root, err := parseXML(r.Body)
	if err != nil {
		return false, err
	}
	if root.name != "scpd" {
		return false, prober.ErrUnreadable
	}
	found := false
	root.child("actionList").each("action", func(e *element) { found = found || e.value("name") == action })
	return found, nil
}

// askDoors reads all port mappings. A list that is not whole is none: it would
// call doors closed that are open.
func (g *gateway) askDoors(ctx context.Context, lines []upnpService) {
	why := fact.Why("")
	if len(lines) == 0 {
		why = fact.NotTold
	}
	for _, s := range lines {
		if err := g.askMappings(ctx, s); err != nil {
			why = whyOfFault(err)
		}
	}
	if why != "" {
		fact.WANDoors.Unknown(g.facts, why)
		return
	}
	fact.WANDoors.Set(g.facts, doorList(g.doors), fmt.Sprintf("GetGenericPortMappingEntry: %d", len(g.doors)))
}

func (g *gateway) askMappings(ctx context.Context, s upnpService) error {
	at, err := g.description.at(g.target, s.control)
	if err != nil {
		return err
	}
	var last map[string]string
	for i := range maxMappings {
		if time.Now().After(g.until) {
			return prober.ErrNoAnswer
		}
		m, err := g.soap.call(ctx, at, s.kind, "GetGenericPortMappingEntry", "NewPortMappingIndex", strconv.Itoa(i))
		var fault soapFault
		if errors.As(err, &fault) && isEnd(fault.code) {
			return nil
		}
		if err != nil {
			return err
		}
		if sameMapping(m, last) {
			return nil // it does not look at the number
		}
		last = m
		if d, ok := readMapping(m); ok && !slices.Contains(g.doors, d) && len(g.doors) < maxMappings {
			g.doors = append(g.doors, d)
		}
	}
	return nil
}

// isEnd reports whether an error number means that there are no more entries:
// 713 by the standard, the others by what routers do.
func isEnd(code int) bool {
	return slices.Contains([]int{indexOutOfRange, noSuchEntryInArray, invalidArgs, actionFailed, unassigned}, code)
}

func whyOfFault(err error) fact.Why {
	var fault soapFault
	switch {
	case !errors.As(err, &fault):
		return prober.WhyOf(err)
	case fault.code == invalidAction || fault.code == notImplemented:
		return fact.NotTold // it has no such action
	default:
		return fact.Refused
	}
}

func sameMapping(a, b map[string]string) bool {
	if b == nil {
		return false
	}
	for _, k := range []string{"NewRemoteHost", "NewExternalPort", "NewProtocol"} { // these name a mapping
		if a[k] != b[k] {
			return false
		}
	}
	return true
}

// readMapping reads an entry, and reports whether it is an open door.
func readMapping(m map[string]string) (discovery.Door, bool) {
	outside, err1 := strconv.ParseUint(m["NewExternalPort"], 10, 16)
	inside, err2 := strconv.ParseUint(m["NewInternalPort"], 10, 16)
	client, err3 := netip.ParseAddr(m["NewInternalClient"])
	proto := strings.ToLower(m["NewProtocol"])
	if errors.Join(err1, err2, err3) != nil || client.Zone() != "" || proto != "tcp" && proto != "udp" || !isYes(m["NewEnabled"]) {
		return discovery.Door{}, false
	}
	d := discovery.Door{
		Client: client.Unmap(), Proto: proto, Outside: uint16(outside), Inside: uint16(inside),
		Permanent: m["NewLeaseDuration"] == "0", Text: m["NewPortMappingDescription"],
	}
	if from, err := netip.ParseAddr(m["NewRemoteHost"]); err == nil && from.Zone() == "" && !from.IsUnspecified() {
		d.From = from.Unmap()
	}
	return d, true
}

// isYes reads a boolean of UPnP (Device Architecture 1.1, table 2-2).
func isYes(s string) bool { return slices.Contains([]string{"1", "true", "yes"}, strings.ToLower(s)) }

func isNo(s string) bool { return slices.Contains([]string{"0", "false", "no"}, strings.ToLower(s)) }

// doorList sorts doors so that, should there be more than a word keeps, each
// device's first ones stay: nobody hides another's door behind many of its own.
func doorList(doors []discovery.Door) []string {
	doors = slices.Clone(doors)
	slices.SortFunc(doors, func(a, b discovery.Door) int {
		return cmp.Or(a.Client.Compare(b.Client), cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Outside, b.Outside),
			cmp.Compare(a.Inside, b.Inside), a.From.Compare(b.From), cmp.Compare(a.Text, b.Text))
	})
	rank, seen := map[discovery.Door]int{}, map[netip.Addr]int{}
	for _, d := range doors {
		rank[d] = seen[d.Client]
		seen[d.Client]++
	}
	slices.SortStableFunc(doors, func(a, b discovery.Door) int { return cmp.Compare(rank[a], rank[b]) })
	doors = doors[:min(len(doors), fact.MaxItems)]
	out := []string{}
	for _, d := range doors {
		out = append(out, d.String())
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// askNested asks for the address that the router has outside. It is not kept:
// only whether it is a private one.
func (g *gateway) askNested(ctx context.Context, lines []upnpService) {
	why := fact.NotTold
	for _, s := range lines {
		at, err := g.description.at(g.target, s.control)
		var m map[string]string
		if err == nil {
			m, err = g.soap.call(ctx, at, s.kind, "GetExternalIPAddress")
		}
		if err != nil {
			why = whyOfFault(err)
			continue
		}
		if a, err := netip.ParseAddr(m["NewExternalIPAddress"]); err == nil && tellNested(g.facts, a, "GetExternalIPAddress") {
			return
		}
	}
	fact.WANNested.Unknown(g.facts, why)
}

// carrierNAT are the addresses that routers have outside whose provider lets
// its customers share one: behind its own router (RFC 6598), and where IPv4 comes
// through a tunnel over IPv6, as with DS-Lite (RFC 7335).
var carrierNAT = []netip.Prefix{netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/29")}

// tellNested sets whether the router's outside address is a private one, and
// reports whether it could: one that a router gave itself, for want of another, is
// none. A public address is nobody's business and left out.
func tellNested(e *fact.Evidence, outside netip.Addr, how string) bool {
	outside = outside.Unmap()
	switch {
	case outside.IsUnspecified() || outside.IsLoopback() || outside.IsLinkLocalUnicast() || !outside.Is4():
		return false
	case outside.IsPrivate() || slices.ContainsFunc(carrierNAT, func(p netip.Prefix) bool { return p.Contains(outside) }):
		fact.WANNested.Set(e, true, fmt.Sprintf("%s: %s", how, outside))
	default:
		fact.WANNested.Set(e, false, how+": a public address")
	}
	return true
}

func (g *gateway) askFirewall(ctx context.Context, services []upnpService) {
	for _, s := range services {
		at, err := g.description.at(g.target, s.control)
		var m map[string]string
		if err == nil {
			m, err = g.soap.call(ctx, at, s.kind, "GetFirewallStatus")
		}
		if err != nil {
			fact.IPv6FirewallOn.Unknown(g.facts, whyOfFault(err))
			fact.IPv6PinholesAllowed.Unknown(g.facts, whyOfFault(err))
			return
		}
		g.tellBool(fact.IPv6FirewallOn, "FirewallEnabled", m)
		g.tellBool(fact.IPv6PinholesAllowed, "InboundPinholeAllowed", m)
	}
	fact.IPv6FirewallOn.Unknown(g.facts, fact.NotTold)
	fact.IPv6PinholesAllowed.Unknown(g.facts, fact.NotTold)
}

func (g *gateway) tellBool(word fact.Fact[bool], name string, m map[string]string) {
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
