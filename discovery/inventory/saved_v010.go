package inventory

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// sentence010 is a port mapping as version 0.1.0 wrote it into list words:
// `192.0.2.20 tcp 8443 to 443, for good, only from 198.51.100.7, "web"`, about a
// device without the address.
var sentence010 = regexp.MustCompile(`^(?:(\S+) )?(tcp|udp) (\d{1,5}) to (\d{1,5}), for (good|a time)(?:, only from ([^\s,"]+))?(?:, "(.*)")?$`)

func parseSentence010(s string) (m discovery.PortMapping, ok bool) {
	p := sentence010.FindStringSubmatch(s)
	if p == nil {
		return m, false
	}
	external, err1 := strconv.ParseUint(p[3], 10, 16)
	internal, err2 := strconv.ParseUint(p[4], 10, 16)
	if err1 != nil || err2 != nil {
		return m, false
	}
	m = discovery.PortMapping{Proto: p[2], External: uint16(external), Internal: uint16(internal), Permanent: p[5] == "good", Description: p[7]}
	var err error
	if p[1] != "" {
		if m.Client, err = netip.ParseAddr(p[1]); err != nil {
			return m, false
		}
	}
	if p[6] != "" {
		if m.From, err = netip.ParseAddr(p[6]); err != nil {
			return m, false
		}
	}
	return m, true
}

// renew brings a saved entry into the form of today, and fills in the data that
// version 0.1.0 kept in its text only.
func (c *contribution) renew(n fact.Entry, saved *Saved) fact.Entry {
	list, ok := n.Value.([]string)
	if !ok {
		return n
	}
	tokens := make([]string, 0, len(list))
	for _, item := range list {
		switch n.Name {
		case fact.WANPortMappings.Name(), fact.WANPortMappingsStale.Name(), fact.WANOpenPorts.Name():
			if m, ok := parseSentence010(item); ok {
				if item = m.Token(); m.Client.IsValid() {
					item = m.ClientToken()
				}
				if n.Name == fact.WANPortMappings.Name() {
					c.portMappings = append(c.portMappings, m)
				}
			}
		case fact.AddressDisputed.Name():
			if d, ok := parseDisputed010(item); ok && saved.Disputed == nil {
				c.disputed = append(c.disputed, d)
			}
		}
		tokens = append(tokens, item)
	}
	n.Value = tokens
	return n
}

// parseDisputed010 reads an item of address.disputed.
func parseDisputed010(s string) (d discovery.AddressDispute, ok bool) {
	addr, owner, _ := strings.Cut(s, " ")
	var err error
	d.Addr, err = netip.ParseAddr(addr)
	d.Owner, ok = discovery.MAC(owner)
	return d, ok && err == nil
}
