package discovery

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// maxDoorText is the longest description of a door, in runes, that is kept of
// what the program that asked for it wrote (threat T17).
const maxDoorText = 48

// Door is a way in from the Internet that a router keeps open: what arrives at
// one of its ports it passes on to a device.
type Door struct {
	Client    netip.Addr // the device
	Proto     string     // "tcp" or "udp"
	Outside   uint16     // port on the router's Internet side
	Inside    uint16     // port of the device
	Permanent bool       // stays until somebody removes it
	From      netip.Addr // only from this address; zero means the whole Internet
	Text      string     // what the program that asked for it calls it
}

// String writes the door as it stands in fact.WANDoors; ParseDoor reads that. How
// long a door stays is not in it: it would change at each look.
func (d Door) String() string { return d.Client.String() + " " + d.OnDevice() }

// OnDevice writes the door as it stands in fact.WANOpenPorts: without the client.
func (d Door) OnDevice() string {
	stays := "for a time"
	if d.Permanent {
		stays = "for good"
	}
	s := fmt.Sprintf("%s %d to %d, %s", d.Proto, d.Outside, d.Inside, stays)
	if d.From.IsValid() {
		s += ", only from " + d.From.String()
	}
	if text := fact.Clean(strings.ReplaceAll(d.Text, `"`, "'"), maxDoorText); text != "" {
		s += `, "` + text + `"`
	}
	return s
}

// ParseDoor reads what String wrote, and reports whether it could.
func ParseDoor(s string) (Door, bool) {
	d := Door{}
	client, s, _ := strings.Cut(s, " ")
	route, rest, ok := strings.Cut(s, ", ")
	f := strings.Fields(route)
	if !ok || len(f) != 4 || f[2] != "to" || f[0] != "tcp" && f[0] != "udp" {
		return Door{}, false
	}
	var err error
	if d.Client, err = netip.ParseAddr(client); err != nil {
		return Door{}, false
	}
	outside, err1 := strconv.ParseUint(f[1], 10, 16)
	inside, err2 := strconv.ParseUint(f[3], 10, 16)
	if err1 != nil || err2 != nil {
		return Door{}, false
	}
	d.Proto, d.Outside, d.Inside = f[0], uint16(outside), uint16(inside)
	if rest, ok = strings.CutSuffix(rest, `"`); ok {
		if rest, d.Text, ok = strings.Cut(rest, `"`); !ok {
			return Door{}, false
		}
		rest = strings.TrimSuffix(rest, ", ")
	}
	rest, from, limited := strings.Cut(rest, ", only from ")
	if limited {
		if d.From, err = netip.ParseAddr(from); err != nil {
			return Door{}, false
		}
	}
	d.Permanent = rest == "for good"
	return d, d.Permanent || rest == "for a time"
}
