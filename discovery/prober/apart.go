package prober

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/thingwarden/thingwarden/discovery"
)

// held is what a probe learned at several addresses, kept until the pass knows
// whether these are all of one device.
type held struct {
	probe   *Probe
	results []result
}

// holds reports whether the addresses of the device may be of several devices: it
// has more than one IPv4 address, as an extender has for those behind it.
func (w *pass) holds() bool {
	n := 0
	for _, t := range w.targets {
		if t.addr.Is4() {
			n++
		}
	}
	return n > 1
}

// reportHeld reports what was held back, apart for each device.
func (w *pass) reportHeld(ctx context.Context) {
	if len(w.held) == 0 || ctx.Err() != nil {
		return
	}
	groups := w.groups()
	about := [][]discovery.Identifier{w.targets[0].About()}
	var apart []discovery.Apart
	used := map[discovery.Identifier]bool{}
	for _, g := range groups[1:] {
		id := w.part(g, used)
		about = append(about, []discovery.Identifier{id})
		x := discovery.Apart{ID: id}
		for _, t := range g {
			x.Addrs = append(x.Addrs, t.addr)
		}
		apart = append(apart, x)
	}
	if len(apart) > 0 {
		now := w.prober.opt.Now()
		w.prober.opt.Report(discovery.Observation{By: "prober", At: now, About: about[0], Apart: apart, Quiet: true})
	}
	for _, h := range w.held {
		for i, g := range groups {
			results := slices.DeleteFunc(slices.Clone(h.results), func(l result) bool {
				return !slices.ContainsFunc(g, func(t *Target) bool { return t.addr == l.addr })
			})
			if len(results) > 0 {
				o := w.merged(h.probe, results)
				o.About = about[i]
				w.report(h.probe, o)
			}
		}
	}
}

// part is the identifier of a device that answers at some of the addresses.
func (w *pass) part(g []*Target, used map[discovery.Identifier]bool) discovery.Identifier {
	mac := w.hardware()
	product := signature(g[0])
	id := discovery.Part(mac, product)
	for n := 2; used[id] && n < 100; n++ { // two of one model
		id = discovery.Part(mac, fmt.Sprintf("%s %d", product, n))
	}
	used[id] = true
	return id
}

// hardware is the hardware address of the device, or that which it shares.
func (w *pass) hardware() discovery.Identifier {
	for _, i := range w.targets[0].About() {
		if mac, ok := i.Shares(); ok {
			return mac
		}
		if i.Kind == discovery.MACID {
			return i
		}
	}
	return discovery.Identifier{}
}

// groups parts the addresses by the devices that answer there, the device itself
// first. IPv6 addresses, and those at which nothing is open, are its own.
func (w *pass) groups() [][]*Target {
	// Of a device with several hardware addresses it is known whose each address is.
	if w.hardware() == (discovery.Identifier{}) || len(w.device.MACs()) > 1 {
		return [][]*Target{w.targets}
	}
	var groups [][]*Target
	var rest []*Target
	for _, t := range w.targets {
		if !t.addr.Is4() || len(t.openPorts()) == 0 {
			rest = append(rest, t)
			continue
		}
		i := slices.IndexFunc(groups, func(g []*Target) bool {
			return slices.ContainsFunc(g, func(o *Target) bool { return sameMachine(t, o) })
		})
		if i < 0 {
			groups = append(groups, nil)
			i = len(groups) - 1
		}
		groups[i] = append(groups[i], t)
	}
	if len(groups) == 0 {
		return [][]*Target{w.targets}
	}
	groups[0] = append(groups[0], rest...)
	return groups
}

// sameMachine reports whether what answers at two addresses is one machine: it
// shows the same on a port. A machine with several addresses serves all of them,
// as a rule.
func sameMachine(a, b *Target) bool {
	other := b.openPorts()
	for port, what := range a.openPorts() {
		if s, open := other[port]; open && s == what {
			return true
		}
	}
	return false
}

var pageTitle = regexp.MustCompile(`(?is)<title[^>]{0,100}>([^<]{0,100})<`)

// openPorts is what is seen on each open port: of a web page the program and the title.
func (t *Target) openPorts() map[uint16]string {
	out := map[uint16]string{}
	for port, err := range t.ports {
		if err == nil {
			out[port] = ""
		}
	}
	for q, a := range t.responses {
		if a.response == nil || q.path != "/" {
			continue
		}
		out[q.port] = a.response.Header.Get("Server")
		if m := pageTitle.FindSubmatch(a.response.Body); m != nil {
			out[q.port] += " " + string(m[1])
		}
	}
	return out
}

// signature is what tells a product from others and stays: its open ports, and the
// programs behind them without their versions.
func signature(t *Target) string {
	var out []string
	for port, what := range t.openPorts() {
		name, _, _ := strings.Cut(strings.TrimSpace(what), "/")
		out = append(out, fmt.Sprintf("%d %s", port, strings.ToLower(name)))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
