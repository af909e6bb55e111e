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

// askDoors reads all port mappings. Those that are found count; but only a list
// that was read whole, and that has everybody's, shows that there are no others.
func (g *gateway) askDoors(ctx context.Context, lines []upnp.Service) {
	if len(lines) == 0 {
		g.miss(fact.NotTold, "no service for a line")
	}
	if g.description.Partly {
		g.miss(fact.Unreadable, "the description breaks off")
	}
	for _, s := range lines {
		if err := g.askMappings(ctx, s); err != nil {
			g.miss(whyOfFault(err), "asking ended early")
		}
	}
	if !g.foreign && g.missed == "" && g.listsOwnOnly() {
		g.miss(fact.NotTold, "it shows everybody only the mappings to themselves")
	}
	proof := fmt.Sprintf("GetGenericPortMappingEntry: %d", len(g.doors))
	if g.missed == "" {
		fact.WANMappingsComplete.Set(g.facts, true, proof)
		fact.WANDoors.Set(g.facts, doorList(g.doors), proof)
		return
	}
	fact.WANMappingsComplete.Unknown(g.facts, g.why)
	if len(g.doors) > 0 {
		fact.WANDoors.Set(g.facts, doorList(g.doors), proof+"; not all: "+g.missed)
		return
	}
	fact.WANDoors.Unknown(g.facts, g.why)
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

func (g *gateway) askMappings(ctx context.Context, s upnp.Service) error {
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
			g.miss(fact.NotTold, "an entry is left out")
		}
		ended, unreadable = false, 0
		if sameMapping(m, last) {
			return nil // it does not look at the number
		}
		last = m
		g.take(m)
	}
	g.miss(fact.NotAsked, fmt.Sprintf("more than %d", maxMappings))
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
		if !slices.Contains(g.doors, d) && len(g.doors) < maxMappings {
			g.doors = append(g.doors, d)
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

// readMapping reads an entry: the open doors that it stands for, one for each
// protocol, none if it is switched off; and whether it was understood.
func readMapping(m map[string]string) (doors []discovery.Door, ok bool) {
	if isNo(m["NewEnabled"]) {
		return nil, true
	}
	outside, err1 := strconv.ParseUint(m["NewExternalPort"], 10, 16)
	inside, err2 := strconv.ParseUint(m["NewInternalPort"], 10, 16)
	client, err3 := netip.ParseAddr(m["NewInternalClient"])
	protos := protocolsOf(m["NewProtocol"])
	if errors.Join(err1, err2, err3) != nil || client.Zone() != "" || len(protos) == 0 || !isYes(m["NewEnabled"]) {
		return nil, false
	}
	for _, proto := range protos {
		d := discovery.Door{
			Client: client.Unmap(), Proto: proto, Outside: uint16(outside), Inside: uint16(inside),
			Permanent: m["NewLeaseDuration"] == "0", Text: m["NewPortMappingDescription"],
		}
		if from, err := netip.ParseAddr(m["NewRemoteHost"]); err == nil && from.Zone() == "" && !from.IsUnspecified() {
			d.From = from.Unmap()
		}
		doors = append(doors, d)
	}
	return doors, true
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
