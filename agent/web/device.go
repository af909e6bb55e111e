package web

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

// maxServices is how many services of a device are listed.
const maxServices = 40

type detail struct {
	frame
	Device   deviceRef
	What     string
	Room     string
	Score    gauge
	Away     bool
	New      bool
	Trusted  bool
	Unsure   bool
	Muted    bool
	Listened bool // only listened to
	Hidden   bool
	IsHub    bool
	LastSeen stamp
	Own      string // address of the device's own page
	Links    report.Links
	Checked  int

	Problems []finding
	Good     []finding
	Accepted []finding
	Past     []finding // fixed, or not known any more
	Open     []unchecked
	Made     []made
	Classes  []option
	Name     string // the owner's own
	Rows     [][2]string
	Facts    []known
}

// made is a check that came out one way or the other.
type made struct {
	Title, Policy, Proof string
	Failed               bool
}

type known struct {
	Doc, Name, Value, Proof, By string
	Known                       bool
	At                          stamp
}

func viewDevice(f frame, d report.Device) detail {
	x := f.row(d)
	v := detail{
		frame: f, Device: x.deviceRef, What: x.What, Room: x.Room, Score: x.Score, Away: x.Away, New: x.New, Trusted: x.Trusted, Unsure: x.Unsure,
		Muted: d.Muted, Listened: d.ListenOnly, Hidden: d.Hidden, IsHub: d.ID == discovery.Hub, LastSeen: x.LastSeen, Own: ownPage(d), Links: d.Links, Checked: d.Checked, Rows: f.rows(d), Facts: f.facts(d),
	}
	v.Title, v.Made, v.Classes = x.Title, checksMade(d), classes(d.Class)
	if d.Owned {
		v.Name = fact.Clean(d.Name, maxName)
	}
	for _, y := range d.Findings {
		z := f.finding(d, y)
		switch {
		case y.Actionable():
			v.Problems = append(v.Problems, z)
		case y.Problem():
			v.Good = append(v.Good, z)
		case y.Status == policy.Accepted:
			v.Accepted = append(v.Accepted, z)
		default:
			v.Past = append(v.Past, z)
		}
	}
	slices.SortStableFunc(v.Problems, worstFirst)
	if len(v.Problems) > 0 {
		v.Problems[0].Unfold = true
	}
	for _, n := range d.NotChecked {
		u := unchecked{Title: fact.Clean(n.Policy.Title, 200), Policy: fact.Clean(n.Policy.ID, maxInfo)}
		for _, m := range n.Missing {
			u.Reasons = append(u.Reasons, reason{Why: m.Why.Plain(), Hint: hint(m.Why), Words: []string{wordDoc(m.Word)}})
		}
		v.Open = append(v.Open, u)
	}
	return v
}

// checksMade are the checks of a device that could be made.
func checksMade(d report.Device) (out []made) {
	for _, x := range d.Verdicts {
		if x.Result != policy.Pass && x.Result != policy.Fail {
			continue
		}
		m := made{Title: fact.Clean(x.Policy.Title, 200), Policy: fact.Clean(x.Policy.ID, maxInfo), Failed: x.Result == policy.Fail}
		m.Proof = report.Evidence(policy.Finding{Proof: x.Proof})
		out = append(out, m)
	}
	slices.SortStableFunc(out, func(a, b made) int { return boolFirst(a.Failed, b.Failed) })
	return out
}

// classes are all that the owner can choose from.
func classes(chosen string) (out []option) {
	for _, c := range fact.Lookup(fact.DeviceClass.Name()).Values {
		out = append(out, option{c, className(c), c == chosen})
	}
	return out
}

// ownPage is the address of the page that a device itself offers; empty if it is not
// known to offer one. It is made of the device's address, never of what it says.
func ownPage(d report.Device) string {
	var host netip.Addr
	for _, a := range d.Addrs() {
		if a.Is4() || !a.IsLinkLocalUnicast() {
			host = a
			break
		}
	}
	if !host.IsValid() || d.ID == discovery.Hub {
		return ""
	}
	scheme, port := "", 0
	if factOf[bool](d, fact.HTTPOpen.Name()) {
		scheme = "http"
	}
	if factOf[bool](d, fact.HTTPTLS.Name()) {
		scheme = "https"
	}
	for _, s := range d.Services {
		if s.Name == "_http._tcp" && scheme == "" {
			scheme, port = "http", s.Port
		}
	}
	switch {
	case scheme == "":
		return ""
	case port == 0 || port == 80:
		return scheme + "://" + strings.TrimSuffix(netip.AddrPortFrom(host, 0).String(), ":0") + "/"
	default:
		return scheme + "://" + netip.AddrPortFrom(host, uint16(port)).String() + "/"
	}
}

// rows are what identifies a device.
func (f frame) rows(d report.Device) [][2]string {
	var services []string
	for _, x := range d.Services {
		services = append(services, strings.TrimSpace(fmt.Sprintf("%s/%d %s", fact.Clean(x.Proto, 8), x.Port, fact.Clean(x.Name, maxName))))
	}
	via := ""
	if d.Via != "" {
		via = f.titles[d.Via]
	}
	hidden := map[string]bool{"derive": true, "agent": true}
	sources := slices.DeleteFunc(slices.Clone(d.Sources), func(s string) bool { return hidden[s] })
	all := [][2]string{
		{"Addresses", strings.Join(addresses(d), ", ")},
		{"Hardware address", strings.Join(d.MACs(), ", ")},
		{"Reached through", via},
		{"Manufacturer", fact.Clean(d.Manufacturer, maxInfo)},
		{"Model", fact.Clean(d.Model, maxInfo)},
		{"Firmware", fact.Clean(d.Firmware, maxInfo)},
		{"Hardware", fact.Clean(d.Hardware, maxInfo)},
		{"Offers", strings.Join(services[:min(maxServices, len(services))], ", ")},
		{"Seen by", strings.Join(sources, ", ")},
		{"First seen", moment(d.FirstSeen)},
		{"Sent to it since the start", fmt.Sprintf("%s, %s", count(d.Sent.Connections, "connection"), count(d.Sent.Packets, "packet"))},
		{"Thingwarden’s id", string(d.ID)},
	}
	return slices.DeleteFunc(all, func(r [2]string) bool { return r[1] == "" })
}

func (f frame) facts(d report.Device) (out []known) {
	for _, e := range d.Facts {
		k := known{Doc: wordDoc(e.Name), Name: e.Name, Proof: fact.Clean(e.Proof, maxText), By: fact.Clean(e.By, maxInfo), At: f.stamp(e.At), Known: e.Known()}
		switch {
		case !e.Known():
			k.Value = "not known: " + e.Why.Plain()
		case e.Why == fact.Restored:
			k.Value = value(e.Value) + " (" + e.Why.Plain() + ")"
		case e.Likely:
			k.Value = value(e.Value) + " (likely)"
		default:
			k.Value = value(e.Value)
		}
		out = append(out, k)
	}
	return out
}
