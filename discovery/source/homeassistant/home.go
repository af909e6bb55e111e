package homeassistant

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery/internal/upnp"
	"github.com/thingwarden/thingwarden/discovery/inventory"
)

const (
	maxInstances = 4 * inventory.MaxDevices
	maxDevices   = 2 * inventory.MaxDevices // of the registry: a thing may have an entry for each integration
	maxUpdates   = 2 * inventory.MaxDevices

	// Home Assistant forgets what it has seen when it restarts. What it announced
	// is there again after a minute; an address only when its device asks for one
	// again, which takes as long as the router grants it.
	instanceKept = 5 * time.Minute
	leaseKept    = 7 * 24 * time.Hour
)

// home is what Home Assistant reports of the home. It is not safe for concurrent use.
type home struct {
	session int // number of the connection
	began   time.Time
	turn    int

	leases    map[string]lease // by MAC address
	instances map[string]instance
	boxes     map[netip.Addr]*box
	devices   []device
	areas     map[string]string          // names by id
	domains   map[string]map[string]bool // of the entities of a device
	updatesOf map[string][]string        // update entities of a device
	updates   map[string]update
	own       map[netip.Addr]bool // addresses of Home Assistant's machine
	networks  []netip.Prefix      // in which it is

	full  bool            // something was left out
	signs map[string]bool // MAC and IP addresses heard since the last report
}

// box is what an address has announced by SSDP.
type box struct {
	from      netip.Addr
	locations []string
	gateway   string
	seen      int
}

// update is the state of an update entity.
type update struct {
	state                             string
	class, installed, latest, skipped string
}

// begin starts a new session.
func (h *home) begin(now time.Time) {
	h.session++
	h.began = now
	if h.leases == nil {
		h.leases, h.instances, h.boxes, h.signs = map[string]lease{}, map[string]instance{}, map[netip.Addr]*box{}, map[string]bool{}
	}
}

// forget drops what did not come again in this session.
func (h *home) forget(now time.Time) (changed bool) {
	age := now.Sub(h.began)
	for mac, l := range h.leases {
		if l.seen < h.session && age >= leaseKept {
			delete(h.leases, mac)
			changed = true
		}
	}
	if age < instanceKept {
		return changed
	}
	for name, i := range h.instances {
		if i.seen < h.session {
			delete(h.instances, name)
			changed = true
		}
	}
	for from, b := range h.boxes {
		if b.seen < h.session {
			delete(h.boxes, from)
			changed = true
		}
	}
	return changed
}

// takeLeases takes in devices that got an address. Live means that it happened
// just now.
func (h *home) takeLeases(b json.RawMessage, live bool) error {
	e, err := decode[changes[leaseRow, struct{}]]("address", b)
	for _, r := range e.Add {
		l, ok := r.lease()
		if !ok || h.own[l.addr] {
			continue
		}
		if _, had := h.leases[l.mac.Value]; !had && len(h.leases) >= inventory.MaxDevices {
			h.full = true
			continue
		}
		h.turn++
		l.seen, l.turn = h.session, h.turn
		h.leases[l.mac.Value] = l
		if live {
			h.signs[l.mac.Value] = true
		}
	}
	return err
}

func (h *home) takeInstances(b json.RawMessage) error {
	e, err := decode[changes[instanceRow, struct {
		Name string `json:"name"`
	}]]("announcement", b)
	for _, r := range e.Remove {
		delete(h.instances, r.Name)
	}
	for _, r := range e.Add {
		i, ok := r.instance()
		if !ok {
			continue
		}
		if _, had := h.instances[string(r.Name)]; !had && len(h.instances) >= maxInstances {
			h.full = true
			continue
		}
		i.seen = h.session
		h.instances[string(r.Name)] = i
		for _, a := range i.addrs {
			h.noteSign(a)
		}
	}
	return err
}

func (h *home) takeUPnP(b json.RawMessage) error {
	e, err := decode[changes[placeRow, struct {
		Location string `json:"ssdp_location"`
	}]]("announcement", b)
	for _, r := range e.Remove {
		for from, box := range h.boxes {
			if box.gateway == r.Location {
				box.gateway = ""
			}
			box.locations = slices.DeleteFunc(box.locations, func(l string) bool { return l == r.Location })
			if len(box.locations) == 0 {
				delete(h.boxes, from)
			}
		}
	}
	for _, r := range e.Add {
		p, ok := r.place()
		if !ok || h.own[p.from] {
			continue
		}
		x := h.boxes[p.from]
		if x == nil {
			if len(h.boxes) >= inventory.MaxDevices {
				h.full = true
				continue
			}
			x = &box{from: p.from}
			h.boxes[p.from] = x
		}
		x.seen = h.session
		if !slices.Contains(x.locations, p.location) {
			x.locations = append(x.locations, p.location)
			x.locations = x.locations[max(0, len(x.locations)-upnp.MaxLocations):]
		}
		if p.gateway {
			x.gateway = p.location
		}
		h.noteSign(p.from)
	}
	return err
}

// noteSign notes a sign of an address. A flood of made-up ones is not kept.
func (h *home) noteSign(a netip.Addr) {
	if len(h.signs) < maxInstances {
		h.signs[a.String()] = true
	}
}

func (h *home) setAreas(b json.RawMessage) error {
	rows, err := decode[[]areaRow]("areas", b)
	if err != nil {
		return err
	}
	h.areas = map[string]string{}
	for _, r := range rows[:min(len(rows), maxDevices)] {
		h.areas[string(r.ID)] = string(r.Name)
	}
	return nil
}

func (h *home) setDevices(b json.RawMessage) error {
	rows, err := decode[[]deviceRow]("devices", b)
	if err != nil {
		return err
	}
	h.devices = nil
	for _, r := range rows {
		d, ok := r.device()
		if !ok {
			continue
		}
		if len(h.devices) == maxDevices {
			h.full = true
			break
		}
		h.devices = append(h.devices, d)
	}
	return nil
}

func (h *home) setEntities(b json.RawMessage) error {
	list, err := decode[struct {
		Entities []entityRow `json:"entities"`
	}]("entities", b)
	if err != nil {
		return err
	}
	h.domains, h.updatesOf = map[string]map[string]bool{}, map[string][]string{}
	for _, r := range list.Entities {
		domain, _, ok := strings.Cut(string(r.ID), ".")
		id := string(r.Device)
		if !ok || id == "" || len(h.domains) >= maxDevices && h.domains[id] == nil {
			continue
		}
		if h.domains[id] == nil {
			h.domains[id] = map[string]bool{}
		}
		if len(h.domains[id]) < 64 {
			h.domains[id][domain] = true
		}
		if domain == "update" && len(h.updatesOf[id]) < 8 {
			h.updatesOf[id] = append(h.updatesOf[id], string(r.ID))
		}
	}
	return nil
}

// takeUpdates takes in states of update entities.
func (h *home) takeUpdates(b json.RawMessage) error {
	e, err := decode[updatesEvent]("states", b)
	if err != nil {
		return err
	}
	if h.updates == nil {
		h.updates = map[string]update{}
	}
	for id, s := range e.Added {
		if strings.HasPrefix(id, "update.") && len(h.updates) < maxUpdates {
			h.updates[id] = update{}.with(s)
		}
	}
	for id, c := range e.Changed {
		if u, ok := h.updates[id]; ok {
			h.updates[id] = u.with(c.Plus.Value)
		}
	}
	for _, id := range e.Removed {
		delete(h.updates, string(id))
	}
	return nil
}

// with returns the state after a change, which names only what differs.
func (u update) with(s stateRow) update {
	if s.State != "" {
		u.state = string(s.State)
	}
	for key, field := range map[string]*string{
		"device_class": &u.class, "installed_version": &u.installed, "latest_version": &u.latest, "skipped_version": &u.skipped,
	} {
		if v, ok := s.Attr.Value[key]; ok {
			*field = string(v)
		}
	}
	return u
}

// setAdapters takes in where Home Assistant is. Networks of containers, virtual
// machines and tunnels are no home networks.
func (h *home) setAdapters(b json.RawMessage) error {
	n, err := decode[struct {
		Adapters []adapter `json:"adapters"`
	}]("network", b)
	if err != nil {
		return err
	}
	h.own, h.networks = map[netip.Addr]bool{}, nil
	for _, a := range n.Adapters[:min(len(n.Adapters), 64)] {
		for _, x := range a.IPv4 {
			addr, err := netip.ParseAddr(string(x.Address))
			bits, ok := x.Bits.Int(0, 32)
			if err != nil || !ok || !addr.Is4() {
				continue
			}
			h.own[addr] = true
			if a.Enabled.Value && !virtual(string(a.Name)) && addr.IsPrivate() && len(h.networks) < 8 {
				h.networks = append(h.networks, netip.PrefixFrom(addr, int(bits)).Masked())
			}
		}
	}
	return nil
}

// virtual reports whether an interface leads to containers, virtual machines or
// through a tunnel, by its usual names, and not to the home. An
// owner's own bridge, such as br0, does.
func virtual(name string) bool {
	return slices.ContainsFunc([]string{
		"docker", "hassio", "veth", "br-", "podman", "cni", "virbr", "lxc", "lxd", "vmnet", "vboxnet",
		"tun", "tap", "wg", "tailscale", "zt", "ppp", "ipsec", "utun",
	}, func(p string) bool { return strings.HasPrefix(name, p) })
}
