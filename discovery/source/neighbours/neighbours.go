// Package neighbours is the source for everything on the same wire or radio as
// the hub: every device with a MAC address on a network that is watched.
//
// On Linux it reads the kernel's neighbour table and follows its changes, and
// sends every IPv4 address one datagram at the start, at each change of the
// networks, and gently every few minutes; none of this needs a privilege. With
// the capability NET_RAW it also receives a device's first ARP, IPv6 neighbour
// discovery, DHCP, mDNS or SSDP packet, and learns host names from DHCP. What a
// packet claims is reported as claimed until the device has answered the kernel.
// On other systems it sweeps, and its health states what it cannot see.
//
// It is not its job to decide which networks are watched, or which device an
// address that changes hands finally belongs to (the inventory does). It does not
// use package delta: neighbours note themselves that they changed, and keeping the
// observation of each would cost more than that.
package neighbours

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/oui"
)

// Kind is the source of devices by their MAC addresses.
var Kind = discovery.SourceKind{
	Name: name, Title: "Network neighbours",
	Doc:  "Sees every device on the home network by its MAC address: reads the kernel's neighbour table, sends each address one byte by UDP, and listens to ARP, IPv6 neighbour discovery and DHCP.",
	Rank: discovery.RankAddress, Role: discovery.Resolves,
	Default: func() discovery.SourceConfig { return &Config{} },
}

// Config is empty: Env.Networks returns the networks to watch. If nothing may
// be sent (Env.ListenOnly), devices that were silent for a while are neither
// online nor offline.
type Config struct{}

// Validate implements discovery.SourceConfig.
func (*Config) Validate() error { return nil }

// New implements discovery.SourceConfig.
func (*Config) New(env discovery.Env) (discovery.Source, error) {
	return &source{timing: defaultTiming(), env: env}, nil
}

const name = "neighbours"

type source struct {
	timing timing
	env    discovery.Env

	table  *neighbourTable
	probes *probeQueue
	socks  *probeSocket

	problems map[string]string // by part; texts for the owner
	reported string            // the text last given to Env.Health
}

// start makes the state of one run. Sockets of the source are opened by the
// goroutine that calls Run only, so that they are in its network namespace.
func (s *source) start(report func(discovery.Observation)) error {
	socks, err := openProbeSocket()
	if err != nil {
		return err
	}
	s.socks, s.probes, s.problems, s.reported = socks, newProbeQueue(), map[string]string{}, "-"
	s.table = newNeighbourTable(s.timing, report, func(addr netip.Addr, in time.Duration) {
		s.probes.add(addr, time.Now().Add(in))
	})
	s.table.listenOnly = s.env.ListenOnly
	oui.Vendor("000000000000") // unpack the table now: the first device must not wait for it
	return nil
}

// sweep plans a probe of every IPv4 address of a network for which the kernel
// has no fresh answer, gap apart.
func (s *source) sweep(in discovery.Networks, gap time.Duration) {
	if s.env.ListenOnly {
		return
	}
	due := time.Now()
	for addr := range sweepable(in) {
		if !s.table.fresh(addr) {
			s.probes.add(addr, due)
			due = due.Add(gap)
		}
	}
	s.table.recall()
}

// send sends the probes that are due and returns the time until the next one; 0
// if none is planned.
func (s *source) send() time.Duration {
	for {
		if wait := s.env.Pause(); wait > 0 && len(s.probes.queue) > 0 {
			return wait
		}
		addr, wait := s.probes.take(time.Now())
		if !addr.IsValid() {
			return wait
		}
		if _, ok := s.table.networks.OnLink(addr); !ok || !probeable(addr) {
			s.probes.decided(addr)
			continue
		}
		err := s.socks.send(addr)
		s.problem("send", sendProblem(err))
		if err != nil {
			s.probes.decided(addr)
			continue
		}
		s.env.Sent(addr, 1, 0)
	}
}

// updateNetworks reads the networks and the hub's hardware addresses, and returns the
// networks that were not there before.
func (s *source) updateNetworks() (added discovery.Networks, err error) {
	before, now := s.table.networks, s.env.Networks()
	ifaces, err := net.Interfaces()
	if err != nil {
		return added, fmt.Errorf("read network interfaces: %w", err)
	}
	own := map[hwaddr]bool{}
	for _, i := range ifaces {
		if len(i.HardwareAddr) == 6 {
			own[hwaddr(i.HardwareAddr)] = true
		}
	}
	s.table.connected(now, own, s.env.Now())
	s.probes.keep(func(a netip.Addr) bool { _, ok := now.OnLink(a); return ok })
	for _, w := range now.Watched {
		if !slices.Contains(before.Watched, w) {
			added.Watched = append(added.Watched, w)
		}
	}
	s.problem("networks", networksProblem(now))
	return added, nil
}

func networksProblem(n discovery.Networks) string {
	if len(n.Watched) > 0 {
		return ""
	}
	if len(n.Skipped) == 0 {
		return "This machine has no network interface, so there is no home network to watch."
	}
	var why []string
	for _, k := range n.Skipped {
		name := k.Interface
		if k.Prefix.IsValid() {
			name = strings.TrimSpace(name + " " + k.Prefix.String())
		}
		why = append(why, name+": "+k.Reason)
	}
	return "Thingwarden cannot see your home network. Skipped: " + strings.Join(why, "; ") + "."
}

// problem sets or clears the problem of one part of the source, and reports the
// health of the source when that changes it.
func (s *source) problem(part, text string) {
	if s.problems[part] == text && s.reported != "-" {
		return
	}
	delete(s.problems, part)
	if text != "" {
		s.problems[part] = text
	}
	var all []string
	for _, k := range slices.Sorted(maps.Keys(s.problems)) {
		all = append(all, s.problems[k])
	}
	whole := strings.Join(all, " ")
	if whole == s.reported {
		return
	}
	s.reported = whole
	switch {
	case s.problems["networks"] != "":
		s.env.Health(discovery.Down, whole)
	case whole != "":
		s.env.Health(discovery.Degraded, whole)
	default:
		s.env.Health(discovery.OK, "")
	}
}

// manyAddrs is from how many IPv4 addresses on a device is taken to answer for
// others.
const manyAddrs = 8

// proxies reports devices that answer for the addresses of others, as
// with proxy ARP (RFC 1027): what answers there is asked, but whose it is can't be
// told by its hardware address.
func (s *source) proxies() {
	var proxies []string
	for _, n := range s.table.sorted() {
		four := 0
		for a, state := range n.addrs {
			if a.Is4() && state.confirmed {
				four++
			}
		}
		if n.state == present && four >= manyAddrs {
			proxies = append(proxies, fmt.Sprintf("%s (%d)", n.mac, four))
		}
	}
	text := ""
	if len(proxies) > 0 {
		text = "These devices answer for many addresses, as some routers, mesh nodes and virtual machines do (proxy ARP): " + strings.Join(proxies[:min(len(proxies), 3)], ", ") +
			". Devices behind them can't be told apart for sure, and not all of their addresses are asked."
	}
	s.problem("proxies", text)
}

// crowd reports that new hardware addresses are ignored because there are too many.
func (s *source) crowd(now time.Time) {
	const visibleFor = 10 * time.Minute
	text := ""
	if d := s.table.dropped; !d.IsZero() && now.Sub(d) < visibleFor {
		text = "A machine on the network sends packets from very many hardware addresses. New devices are listed only after they have answered."
	}
	s.problem("crowd", text)
}
