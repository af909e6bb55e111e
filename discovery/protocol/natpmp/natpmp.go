// Package natpmp asks the router whether programs may open ports by NAT-PMP (RFC 6886) or PCP (RFC 6887).
package natpmp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/internal/wan"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe asks the router whether it maps ports by NAT-PMP or PCP.
var Probe = &prober.Probe{
	Name:    "natpmp",
	Doc:     "Asks the home's router on UDP port 5351 for its outside address (NAT-PMP) and for a sign of life (PCP); never asks it to open or close anything.",
	Touch:   prober.Read,
	Gives:   []string{fact.NATPMPOn.Name(), fact.WANNested.Name()},
	Every:   6 * time.Hour,
	Located: true,
	Applies: isGateway,
	Run:     run,
}

const natpmpPort = 5351

func isGateway(d discovery.Device, ev *fact.Evidence) bool {
	gateway, _ := fact.WANGateway.Get(ev)
	return gateway && prober.Reachable(d, ev)
}

// atGateway is the router at the address by which the hub reaches the Internet, where
// it has one.
func atGateway(t *prober.Target) (*prober.Target, error) {
	for _, a := range t.Networks().Gateways {
		if a.Is4() && slices.Contains(t.Device().Addrs(), a) {
			return t.At(a)
		}
	}
	return t, nil
}

func run(ctx context.Context, t *prober.Target, report func(discovery.Observation)) error {
	t, err := atGateway(t)
	if err != nil {
		return err
	}
	facts := t.Evidence()
	first, err1 := t.Exchange(ctx, natpmpPort, natpmpQuestion)
	pmp := readNATPMP(first)
	var pcp mapper
	var err2 error
	if err1 == nil && pmp.on != answer.Yes || errors.Is(err1, prober.ErrNoAnswer) {
		var second []byte
		second, err2 = t.Exchange(ctx, natpmpPort, pcpQuestion(ownAddr(t)))
		pcp = readPCP(second)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch {
	case pmp.on == answer.Yes:
		fact.NATPMPOn.Set(facts, true, pmp.proof)
	case pcp.on == answer.Yes:
		fact.NATPMPOn.Set(facts, true, pcp.proof)
	case errors.Is(err1, prober.ErrClosed), errors.Is(err2, prober.ErrClosed):
		fact.NATPMPOn.Set(facts, false, "udp/5351: port unreachable")
	case pmp.on == answer.No:
		fact.NATPMPOn.Set(facts, false, pmp.proof)
	case pcp.on == answer.No:
		fact.NATPMPOn.Set(facts, false, pcp.proof)
	case err1 == nil || err2 == nil && pcp.proof != "":
		fact.NATPMPOn.Unknown(facts, fact.Unreadable)
	default:
		fact.NATPMPOn.Unknown(facts, prober.WhyOf(err1))
	}
	if !pmp.outside.IsValid() || !wan.SetNested(facts, pmp.outside, "NAT-PMP") {
		fact.WANNested.Unknown(facts, fact.NotReported)
	}
	report(discovery.Observation{About: t.About(), Facts: facts})
	return nil
}

// mapper is what a router says of itself by NAT-PMP or PCP.
type mapper struct {
	on      answer.Tristate // whether it maps ports
	outside netip.Addr      // its address on the Internet, if it says so
	proof   string
}

// natpmpQuestion asks for the outside address (RFC 6886 section 3.2). The other
// two requests of NAT-PMP make or remove a mapping.
var natpmpQuestion = []byte{0, 0}

// readNATPMP reads the answer: version 0, 128, result, seconds since the start,
// address (RFC 6886 sections 3.2 and 3.5).
func readNATPMP(b []byte) mapper {
	const successful, unsupportedVersion, refused, noNetwork, noResources = 0, 1, 2, 3, 4
	if len(b) < 4 || b[0] != 0 || b[1] != 0x80 {
		return mapper{}
	}
	result := binary.BigEndian.Uint16(b[2:])
	k := mapper{proof: fmt.Sprintf("udp/%d: NAT-PMP result %d", natpmpPort, result)}
	switch result {
	case successful:
		if len(b) < 12 {
			return mapper{}
		}
		k.on, k.outside = answer.Yes, netip.AddrFrom4([4]byte(b[8:12]))
	case noNetwork, noResources:
		k.on = answer.Yes // it would, at another time
	case refused: // "box supports mapping, but user has turned feature off"
		k.on = answer.No
	case unsupportedVersion: // PCP only
	}
	return k
}

// pcpQuestion is an ANNOUNCE from the client's address, which makes nothing (RFC
// 6887 sections 7.1 and 14.1). MAP and PEER make mappings.
func pcpQuestion(own netip.Addr) []byte {
	b := make([]byte, 24)
	b[0] = 2
	client := own.As16()
	copy(b[8:], client[:])
	return b
}

func ownAddr(t *prober.Target) netip.Addr {
	if w, ok := t.Networks().OnLink(t.Addr()); ok && w.Own.IsValid() {
		return w.Own
	}
	return netip.IPv4Unspecified()
}

// readPCP reads the answer: version, 128, result, … (RFC 6887 sections 7.2 and 7.4).
func readPCP(b []byte) mapper {
	const unsupportedVersion, notAuthorized = 1, 2
	if len(b) < 24 || b[0] == 0 || b[1] != 0x80 {
		return mapper{}
	}
	k := mapper{proof: fmt.Sprintf("udp/%d: PCP version %d, result %d", natpmpPort, b[0], b[3])}
	switch b[3] {
	case unsupportedVersion:
	case notAuthorized:
		k.on = answer.No
	default: // also of those that know no ANNOUNCE, or want another address in it
		k.on = answer.Yes
	}
	return k
}
