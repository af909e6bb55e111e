package inventory

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// staleAfter is how long no device was seen at the address to which a port mapping
// leads, until the mapping counts as forgotten.
const staleAfter = 7 * 24 * time.Hour

// deriveRouter returns what follows for single devices from what the home's
// router says: which port mappings lead to them, and whether its IPv6
// firewall guards them. Only a device by which the hub itself reaches the
// Internet is believed about others, since any device can claim to be a router,
// and none while two claim to be it.
// What it returns differs from the evidence given; nothing, when all holds, and
// nothing while no network is looked at, when nobody can tell who the router is.
func (inv *Inventory) deriveRouter(evidence map[discovery.ID]*fact.Evidence, now time.Time) []discovery.Observation {
	if len(inv.networks().Watched) == 0 {
		return nil
	}
	var routers []discovery.ID
	contested := inv.routerContested(evidence)
	derivedOf := map[discovery.ID]bool{} // devices of which something was derived before
	for id, e := range evidence {
		if gateway, _ := fact.WANGateway.Get(e); gateway && !contested {
			routers = append(routers, id)
		}
		if isDerived(e, fact.WANOpenPorts.Name()) || isDerived(e, fact.WANPortMappingsStale.Name()) || isDerived(e, fact.IPv6Unguarded.Name()) {
			derivedOf[id] = true
		}
	}
	slices.Sort(routers)
	r := &router{inv.derivation(evidence, now)}
	for id := range derivedOf {
		r.of(id)
	}
	mappings, why := r.mappings(routers)
	reached := map[discovery.ID]bool{}
	if why != "" {
		reached = r.reached(routers)
	}
	r.setMappings(mappings, why, reached)
	r.setIPv6(routers)
	return r.changes()
}

// router is the work of one deriveRouter.
type router struct{ *derivation }

// mappings returns the port mappings of all routers by the device to which they
// lead, and why they are not known if a router does not report them. It sets which
// are stale.
func (r *router) mappings(routers []discovery.ID) (map[discovery.ID][]discovery.PortMapping, fact.Why) {
	byClient := map[discovery.ID][]discovery.PortMapping{}
	why := fact.NotReported
	if len(routers) > 0 {
		why = ""
	}
	for _, id := range routers {
		e := r.evidence[id]
		list, ok := fact.WANPortMappings.Get(e)
		mappings := reports(r.inv, id, fact.WANPortMappings.Name(), func(c *contribution) []discovery.PortMapping { return c.portMappings })
		missing := whyIncomplete(e)
		if missing == "" && len(mappings) < len(list) {
			missing = fact.Unreadable // the word says more than its data
		}
		why = cmp.Or(missing, why)
		if !ok {
			if _, had := e.Entry(fact.WANPortMappings.Name()); had {
				fact.WANPortMappingsStale.Unknown(r.of(id), missing)
			}
			continue
		}
		var stale, proof []string
		for _, m := range mappings {
			client, there := r.client(m)
			if there {
				byClient[client] = append(byClient[client], m)
			}
			if r.forgotten(id, m, client, there) {
				stale = append(stale, m.ClientToken())
				proof = append(proof, m.Client.String()+" "+m.Proof())
			}
		}
		if missing != "" && len(stale) == 0 {
			fact.WANPortMappingsStale.Unknown(r.of(id), missing)
			continue
		}
		fact.WANPortMappingsStale.Set(r.of(id), stale, strings.Join(proof, "; "))
	}
	return byClient, why
}

// whyIncomplete says why not all port mappings of a router are known; "" if they are.
func whyIncomplete(e *fact.Evidence) fact.Why {
	for _, word := range []string{fact.WANPortMappings.Name(), fact.WANMappingsComplete.Name()} {
		if n, _ := e.Entry(word); !n.Known() {
			return cmp.Or(n.Why, fact.NotReported)
		}
	}
	return ""
}

// reached returns the devices to which a router that offers UPnP could lead: those
// at an IPv4 address of the home.
func (r *router) reached(routers []discovery.ID) map[discovery.ID]bool {
	if !slices.ContainsFunc(routers, func(id discovery.ID) bool {
		_, offers := fact.IGDLocation.Get(r.evidence[id])
		on, known := fact.IGDOn.Get(r.evidence[id])
		return offers && (on || !known)
	}) {
		return nil
	}
	out := map[discovery.ID]bool{}
	for id := range r.evidence {
		d, _ := r.inv.Device(id)
		if id == discovery.Hub || !slices.Contains(routers, id) && slices.ContainsFunc(d.Addrs(), netip.Addr.Is4) {
			out[id] = true
		}
	}
	return out
}

// client returns the device to which a port mapping leads, and whether there is one.
func (r *router) client(m discovery.PortMapping) (discovery.ID, bool) {
	if r.inv.networks().Own(m.Client) {
		return discovery.Hub, true
	}
	return r.inv.Find(discovery.IP(m.Client))
}

// forgotten reports whether a port mapping leads to an address at which no device
// has been seen for long. Where none ever was, that is as long as the router is known.
func (r *router) forgotten(router discovery.ID, m discovery.PortMapping, client discovery.ID, there bool) bool {
	if _, onLink := r.inv.networks().OnLink(m.Client); !onLink || client == discovery.Hub {
		return false
	}
	if online, _ := fact.DeviceOnline.Get(r.evidence[client]); there && online {
		return false
	}
	if there {
		return r.now.Sub(r.inv.whole(client).last) >= staleAfter
	}
	return r.now.Sub(r.inv.whole(router).first) >= staleAfter
}

// setMappings sets for each device which port mappings lead to it. Where not all are
// known, no device is said to have none.
func (r *router) setMappings(byClient map[discovery.ID][]discovery.PortMapping, why fact.Why, reached map[discovery.ID]bool) {
	for id := range byClient {
		r.of(id)
	}
	for id := range reached {
		r.of(id)
	}
	for id, e := range r.new {
		mappings := byClient[id]
		if why != "" && len(mappings) == 0 {
			if reached[id] || isDerived(r.evidence[id], fact.WANOpenPorts.Name()) {
				fact.WANOpenPorts.Unknown(e, why)
				fact.WANOpenTCP.Unknown(e, why)
			}
			continue
		}
		if len(mappings) == 0 && !isDerived(r.evidence[id], fact.WANOpenPorts.Name()) {
			continue // a router's word on its own port mappings only
		}
		list, tcp, proof := describe(mappings)
		fact.WANOpenPorts.Set(e, list, proof)
		fact.WANOpenTCP.Set(e, tcp, "")
	}
}

// describe returns the port mappings of one device as they stand in the words about
// it, and the numbers of their TCP ports, the smallest first: a device that asks
// for hundreds must not hide those that matter.
func describe(mappings []discovery.PortMapping) (list, tcp []string, proof string) {
	numbers := map[int]bool{}
	var proofs []string
	for _, m := range slices.SortedFunc(slices.Values(mappings), discovery.ComparePortMappings) {
		list, proofs = append(list, m.Token()), append(proofs, m.Proof())
		if m.Proto == "tcp" {
			numbers[int(m.External)] = true
			numbers[int(m.Internal)] = true
		}
	}
	slices.Sort(list)
	for _, n := range slices.Sorted(maps.Keys(numbers)) {
		tcp = append(tcp, strconv.Itoa(n))
	}
	return slices.Compact(list), tcp, strings.Join(slices.Compact(proofs), "; ")
}

// setIPv6 says of each device with a worldwide IPv6 address whether a firewall
// stands before it. With several routers one without it is enough.
func (r *router) setIPv6(routers []discovery.ID) {
	known, guarded, proof := false, true, ""
	for _, id := range routers {
		if on, ok := fact.IPv6FirewallOn.Get(r.evidence[id]); ok {
			known = true
			if !on {
				n, _ := r.evidence[id].Entry(fact.IPv6FirewallOn.Name())
				guarded, proof = false, n.Proof
			}
		}
	}
	for id, e := range r.evidence {
		had := isDerived(e, fact.IPv6Unguarded.Name())
		global, _ := fact.IPv6Global.Get(e)
		switch {
		case global && known:
			fact.IPv6Unguarded.Set(r.of(id), !guarded, proof)
		case had:
			fact.IPv6Unguarded.Unknown(r.of(id), fact.NotReported)
		}
	}
}
