package igd

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
	"github.com/thingwarden/thingwarden/discovery/internal/upnp"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// readAllMappings reads all port mappings. Those that are found count; but only a list
// that was read whole, and that has everybody's, shows that there are no others.
func (g *gateway) readAllMappings(ctx context.Context, lines []upnp.Service) {
	if len(lines) == 0 {
		g.miss(fact.NotReported, "no service for a line")
	}
	if g.description.Partly {
		g.miss(fact.Unreadable, "the description breaks off")
	}
	for _, s := range lines {
		if err := g.readMappings(ctx, s); err != nil {
			g.miss(whyOfFault(err), "asking ended early")
		}
	}
	if !g.foreign && g.missed == "" && g.listsOwnOnly() {
		g.miss(fact.NotReported, "it shows everybody only the mappings to themselves")
	}
	proof := fmt.Sprintf("GetGenericPortMappingEntry: %d", len(g.mappings))
	if g.missed == "" {
		fact.WANMappingsComplete.Set(g.facts, true, proof)
		fact.WANPortMappings.Set(g.facts, listed(g.mappings), proof)
		return
	}
	fact.WANMappingsComplete.Unknown(g.facts, g.why)
	if len(g.mappings) > 0 {
		fact.WANPortMappings.Set(g.facts, listed(g.mappings), proof+"; not all: "+g.missed)
		return
	}
	fact.WANPortMappings.Unknown(g.facts, g.why)
}

// miss notes that the list is not whole. The first reason counts.
func (g *gateway) miss(why fact.Why, what string) {
	if g.missed == "" {
		g.missed, g.why = what, why
	}
}

// listsOwnOnly reports whether the router is known to list to a device only the
// mappings that lead to it: FRITZ!Box, and those with DeviceProtection, by which
// WANIPConnection:2 keeps the whole list from whoever has not logged in. MiniUPnPd
// announces that service and lists all.
func (g *gateway) listsOwnOnly() bool {
	d := g.description
	return strings.HasPrefix(d.Root.Manufacturer, "AVM") ||
		!strings.Contains(strings.ToLower(d.Server), "miniupnpd") && slices.ContainsFunc(d.Services, func(s upnp.Service) bool {
			return strings.HasPrefix(s.Kind, "urn:schemas-upnp-org:service:DeviceProtection:")
		})
}

// maxUnreadable is how many entries in a row that can't be read are passed over.
const maxUnreadable = 2

func (g *gateway) readMappings(ctx context.Context, s upnp.Service) error {
	at, err := g.description.At(g.target, s.Control)
	if err != nil {
		return err
	}
	var last map[string]string
	ended, unreadable := false, 0
	for i := range maxMappings {
		if time.Now().After(g.until) {
			return prober.ErrNoAnswer
		}
		m, err := g.soap.Call(ctx, at, s.Kind, "GetGenericPortMappingEntry", "NewPortMappingIndex", strconv.Itoa(i))
		var fault upnp.Fault
		switch {
		case err != nil && ended:
			return nil
		case errors.As(err, &fault) && isEnd(fault.Code):
			ended = true // some routers leave out what is not to be seen, and have others after it
			continue
		case errors.Is(err, prober.ErrUnreadable) && ctx.Err() == nil:
			if m == nil {
				if unreadable++; unreadable > maxUnreadable {
					return err
				}
				g.miss(fact.Unreadable, "an entry is not readable")
				continue
			}
		case err != nil:
			return err
		}
		if ended {
			g.miss(fact.NotReported, "an entry is left out")
		}
		ended, unreadable = false, 0
		if sameMapping(m, last) {
			return nil // it does not look at the number
		}
		last = m
		g.take(m)
	}
	g.miss(fact.NotProbed, fmt.Sprintf("more than %d", maxMappings))
	return nil
}

// take takes in an entry.
func (g *gateway) take(m map[string]string) {
	found, ok := readMapping(m)
	if !ok {
		g.miss(fact.Unreadable, "an entry is not understood")
	}
	for _, d := range found {
		g.foreign = g.foreign || !g.target.Networks().Own(d.Client)
		if !slices.Contains(g.mappings, d) && len(g.mappings) < maxMappings {
			g.mappings = append(g.mappings, d)
		}
	}
}

// isEnd reports whether an error number means that there are no more entries:
// 713 by the standard, the others by what routers do.
func isEnd(code int) bool {
	return slices.Contains([]int{indexOutOfRange, noSuchEntryInArray, invalidArgs, actionFailed, unassigned}, code)
}

func whyOfFault(err error) fact.Why {
	var fault upnp.Fault
	switch {
	case !errors.As(err, &fault):
		return prober.WhyOf(err)
	case fault.Code == invalidAction || fault.Code == notImplemented:
		return fact.NotReported // it has no such action
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

// readMapping reads an entry: the port mappings that it stands for, one for each
// protocol, none if it is switched off; and whether it was understood.
func readMapping(m map[string]string) (mappings []discovery.PortMapping, ok bool) {
	if isNo(m["NewEnabled"]) {
		return nil, true
	}
	external, err1 := strconv.ParseUint(m["NewExternalPort"], 10, 16)
	internal, err2 := strconv.ParseUint(m["NewInternalPort"], 10, 16)
	client, err3 := netip.ParseAddr(m["NewInternalClient"])
	protos := protocolsOf(m["NewProtocol"])
	// Some MiniUPnPd give 0.0.0.0 here for a mapping that leads to a device.
	if errors.Join(err1, err2, err3) != nil || client.Zone() != "" || client.IsUnspecified() || len(protos) == 0 || !isYes(m["NewEnabled"]) {
		return nil, false
	}
	for _, proto := range protos {
		p := discovery.PortMapping{
			Client: client.Unmap(), Proto: proto, External: uint16(external), Internal: uint16(internal),
			Permanent: m["NewLeaseDuration"] == "0", Description: fact.Clean(m["NewPortMappingDescription"], discovery.MaxDescription),
		}
		if from, err := netip.ParseAddr(m["NewRemoteHost"]); err == nil && from.Zone() == "" && !from.IsUnspecified() {
			p.From = from.Unmap()
		}
		mappings = append(mappings, p)
	}
	return mappings, true
}

// protocolsOf reads the protocol of an entry. The standard knows TCP and UDP
// only; some routers list one entry for both.
func protocolsOf(s string) []string {
	switch strings.ToUpper(s) {
	case "TCP", "6":
		return []string{"tcp"}
	case "UDP", "17":
		return []string{"udp"}
	case "BOTH", "TCP/UDP", "TCP_UDP", "TCP+UDP", "TCPUDP", "UDP/TCP":
		return []string{"tcp", "udp"}
	}
	return nil
}

// isYes reads a boolean of UPnP (Device Architecture 1.1, table 2-2).
func isYes(s string) bool { return slices.Contains([]string{"1", "true", "yes"}, strings.ToLower(s)) }

func isNo(s string) bool { return slices.Contains([]string{"0", "false", "no"}, strings.ToLower(s)) }

// listed returns the items of wan.port_mappings. Should there be more than a word keeps, each
// device's first ones stay: no device hides another's mapping behind many of its own.
func listed(mappings []discovery.PortMapping) []string {
	mappings = slices.SortedFunc(slices.Values(mappings), discovery.ComparePortMappings)
	rank, seen := map[discovery.PortMapping]int{}, map[netip.Addr]int{}
	for _, m := range mappings {
		rank[m] = seen[m.Client]
		seen[m.Client]++
	}
	slices.SortStableFunc(mappings, func(a, b discovery.PortMapping) int { return cmp.Compare(rank[a], rank[b]) })
	out := []string{}
	for _, m := range mappings[:min(len(mappings), fact.MaxItems)] {
		out = append(out, m.ClientToken())
	}
	slices.Sort(out)
	return slices.Compact(out)
}
