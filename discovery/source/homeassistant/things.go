package homeassistant

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/dnssd"
	"github.com/thingwarden/thingwarden/discovery/internal/upnp"
	"github.com/thingwarden/thingwarden/discovery/internal/version"
	"github.com/thingwarden/thingwarden/discovery/oui"
)

// entry is one device of the home, put together from all of Home Assistant's lists.
type entry struct {
	ids       []discovery.Identifier // that are for good; none if only an address is known
	addrs     []netip.Addr
	rows      []device
	lease     *lease
	instances []dnssd.Instance
	box       *box
}

// key names the thing while its identifiers stay.
func (x *entry) key() string {
	if len(x.ids) > 0 {
		return string(x.ids[0].Kind) + " " + x.ids[0].Value
	}
	return x.addrs[0].String()
}

// entries puts the lists together.
type entries struct {
	home   *home
	all    []*entry
	byID   map[discovery.Identifier]*entry
	byAddr map[netip.Addr]*entry
	byRow  map[string]*entry             // by id of an entry of the device registry
	shared map[discovery.Identifier]bool // MAC addresses that are not one device's
}

// entries returns the devices of the home as they are known now.
func (h *home) entries() *entries {
	t := &entries{home: h, byID: map[discovery.Identifier]*entry{}, byAddr: map[netip.Addr]*entry{}, byRow: map[string]*entry{}}
	// An entry that a person named, or one that knows the model, comes first.
	rows := slices.SortedStableFunc(slices.Values(h.devices), func(a, b device) int {
		return cmp.Or(compareBool(a.named, b.named), compareBool(a.model != "", b.model != ""), cmp.Compare(a.id, b.id))
	})
	t.shared = sharedMACs(rows)
	for _, d := range rows {
		// We have no update entity: a device with one is not ours alone.
		if !d.own || len(h.updatesOf[d.id]) > 0 {
			t.addRow(d)
		}
	}
	leases := slices.SortedFunc(maps.Values(h.leases), func(a, b lease) int { return cmp.Compare(b.turn, a.turn) })
	for _, l := range leases {
		x := t.of(l.mac)
		if t.byAddr[l.addr] == nil { // else it went to another device since
			t.byAddr[l.addr] = x
			x.addrs = append(x.addrs, l.addr)
		}
		if x.lease == nil {
			x.lease = &l
		}
	}
	for _, d := range rows {
		if d.own && slices.ContainsFunc(d.ids, t.knows) && t.byRow[d.id] == nil {
			t.addRow(d)
		}
	}
	t.addConfigured()
	for _, name := range slices.Sorted(maps.Keys(h.instances)) {
		i := h.instances[name]
		if x := t.at(i.addrs); x != nil && len(x.instances) < dnssd.MaxServices {
			x.instances = append(x.instances, i.Instance)
		}
	}
	for _, from := range slices.SortedFunc(maps.Keys(h.boxes), netip.Addr.Compare) {
		if x := t.at([]netip.Addr{from}); x != nil {
			x.box = h.boxes[from]
		}
	}
	return t
}

// compareBool orders true before false.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	default:
		return 1
	}
}

// sharedMACs returns the MAC addresses of which several entries are reached at
// different addresses: that of an extender stands in the entries of the devices
// behind it.
func sharedMACs(rows []device) map[discovery.Identifier]bool {
	at, shared := map[discovery.Identifier]netip.Addr{}, map[discovery.Identifier]bool{}
	for _, d := range rows {
		for _, i := range d.ids {
			if i.Kind != discovery.MACID || !d.addr.IsValid() {
				continue
			}
			if a, had := at[i]; had && a != d.addr {
				shared[i] = true
			}
			at[i] = d.addr
		}
	}
	return shared
}

// parts returns the identifiers of an entry with its own ones in place of MAC
// addresses that are not its alone.
func (t *entries) parts(d device) (ids []discovery.Identifier, apart bool) {
	for _, i := range d.ids {
		if t.shared[i] && d.addr.IsValid() {
			i, apart = discovery.Part(i, d.id), true
		}
		ids = append(ids, i)
	}
	return ids, apart
}

func (t *entries) addRow(d device) {
	ids, apart := t.parts(d)
	ids = slices.DeleteFunc(ids, t.hasAddress)
	if len(ids) == 0 {
		return
	}
	var x *entry
	for _, i := range ids {
		if x = t.byID[i]; x != nil {
			break
		}
	}
	if x == nil {
		x = t.of(ids[0])
	}
	for _, i := range ids {
		if t.byID[i] == nil && len(x.ids) < maxIDs {
			t.byID[i] = x
			x.ids = append(x.ids, i)
		}
	}
	if apart && t.byAddr[d.addr] == nil {
		t.byAddr[d.addr] = x
		x.addrs = append(x.addrs, d.addr)
	}
	x.rows = append(x.rows, d)
	t.byRow[d.id] = x
}

// addConfigured gives devices that have a MAC address and of which no address was
// seen the one at which an integration reaches them, unless several have the same.
func (t *entries) addConfigured() {
	at := map[netip.Addr][]*entry{}
	for _, x := range t.all {
		for _, d := range x.rows {
			if d.addr.IsValid() && len(x.addrs) == 0 && x.ids[0].Kind == discovery.MACID && !slices.Contains(at[d.addr], x) {
				at[d.addr] = append(at[d.addr], x)
			}
		}
	}
	for a, list := range at {
		if len(list) == 1 && t.byAddr[a] == nil && !t.home.own[a] {
			t.byAddr[a] = list[0]
			list[0].addrs = append(list[0].addrs, a)
		}
	}
	for _, x := range t.all {
		slices.SortFunc(x.addrs, netip.Addr.Compare)
	}
}

// hasAddress reports whether a Matter device is on the home's network itself, where
// it is known by its address: its Matter number must not make a second one of it.
func (t *entries) hasAddress(i discovery.Identifier) bool {
	if i.Kind != discovery.MatterID {
		return false
	}
	fabric, node, _ := strings.Cut(i.Value, "_")
	for _, x := range t.home.instances {
		if x.Type == "_matter._tcp" && strings.EqualFold(x.Name, fabric+"-"+node) {
			return slices.ContainsFunc(x.addrs, netip.Addr.Is4)
		}
	}
	return false
}

// of returns the thing with an identifier.
func (t *entries) of(i discovery.Identifier) *entry {
	x := t.byID[i]
	if x == nil {
		x = &entry{ids: []discovery.Identifier{i}}
		t.byID[i] = x
		t.all = append(t.all, x)
	}
	return x
}

// at returns the thing that has one of the addresses, made if need be; nil if
// that is Home Assistant's own machine, or if it is known by an IPv6 address only:
// that is how a border router announces what is behind it.
func (t *entries) at(addrs []netip.Addr) *entry {
	list := slices.SortedFunc(slices.Values(addrs), func(a, b netip.Addr) int {
		return cmp.Or(compareBool(a.Is4(), b.Is4()), a.Compare(b))
	})
	for _, a := range list {
		if t.home.own[a] {
			return nil
		}
		if x := t.byAddr[a]; x != nil {
			return x
		}
	}
	if !list[0].Is4() {
		return nil
	}
	x := &entry{addrs: list[:1]}
	t.byAddr[list[0]] = x
	t.all = append(t.all, x)
	return x
}

// observation says all that is known of a thing. It is Quiet if there was no sign
// of it since the last one.
func (t *entries) observation(x *entry, networks discovery.Networks, now time.Time) discovery.Observation {
	ev := fact.New(Name, now)
	o := discovery.Observation{About: slices.Clone(x.ids), Facts: ev, Quiet: true}
	x.setKind(ev)
	for _, a := range x.addrs {
		_, onLink := networks.OnLink(a)
		switch {
		case onLink:
			// Here the kernel knows whose it is.
			o.About = append(o.About, discovery.Claimed(a))
		default:
			o.About = append(o.About, discovery.IP(a))
			if networks.Routes(a) {
				fact.DeviceReachable.Set(ev, true, fmt.Sprintf("%s, reported by Home Assistant", a))
			}
		}
		o.Quiet = o.Quiet && !t.home.signs[a.String()]
	}
	for _, i := range x.ids {
		o.Quiet = o.Quiet && !t.home.signs[i.Value]
	}
	t.setRegistryFacts(x, &o)
	if x.lease != nil && x.lease.host != "" {
		fact.DeviceHostname.Set(ev, x.lease.host, "dhcp hostname")
		o.Name = cmp.Or(o.Name, x.lease.host)
	}
	if types := dnssd.Types(x.instances); len(types) > 0 {
		// Any machine can have announced these names and properties for this address:
		// probes query the device itself.
		fact.MDNSServices.Set(ev, types, "zeroconf")
	}
	o.Services = dnssd.Services(x.instances)
	if x.box != nil {
		locations := slices.Sorted(slices.Values(x.box.locations))
		o.Services = append(o.Services, upnp.Describe(ev, x.box.from, locations, x.box.gateway)...)
		slices.SortFunc(o.Services, discovery.CompareServices)
	}
	return o
}

func (x *entry) setKind(ev *fact.Evidence) {
	kind, proof := "lan", "address"
	if len(x.ids) > 0 {
		proof = "device registry"
		switch x.ids[0].Kind {
		case discovery.ZigbeeID:
			kind = "zigbee"
		case discovery.ZWaveID:
			kind = "zwave"
		case discovery.MatterID:
			kind = "matter"
		case discovery.MACID, discovery.PartID, discovery.IPID, discovery.ClaimedIP:
			hex := x.ids[0].Value
			if mac, shared := x.ids[0].Shares(); shared {
				hex = mac.Value
			}
			proof = discovery.FormatMAC(hex)
			fact.DeviceMACRandom.Set(ev, oui.Random(hex), proof)
			if vendor, ok := oui.Vendor(hex); ok {
				fact.DeviceMACVendor.Set(ev, vendor, proof)
			}
		}
	}
	fact.DeviceKind.Set(ev, kind, proof)
}

// setRegistryFacts sets facts from the registries. The first entry with a value counts.
func (t *entries) setRegistryFacts(x *entry, o *discovery.Observation) {
	domains := map[string]bool{}
	var updates []string
	for _, d := range x.rows {
		o.Name = cmp.Or(o.Name, d.name)
		setText(o.Facts, fact.DeviceManufacturer, d.manufacturer, "manufacturer=")
		setText(o.Facts, fact.DeviceModel, d.model, "model=")
		setText(o.Facts, fact.DeviceFirmware, d.firmware, "sw_version=")
		setText(o.Facts, fact.DeviceHardware, d.version, "hw_version=")
		setText(o.Facts, fact.DeviceProduct, d.platform, "integration ")
		if area := t.home.areas[d.area]; area != "" {
			setText(o.Facts, fact.DeviceArea, area, "area_id=")
		}
		if via := t.byRow[d.via]; via != nil && via != x && o.Via == (discovery.Identifier{}) {
			o.Via = via.ids[0]
		}
		for domain := range t.home.domains[d.id] {
			domains[domain] = true
		}
		updates = append(updates, t.home.updatesOf[d.id]...)
	}
	if class, domain := classOf(domains); class != "" {
		fact.DeviceClass.Set(o.Facts, class, "entity "+domain)
	}
	t.setUpdate(updates, o.Facts)
	o.Facts.Finish(Name)
}

// setUpdate sets whether firmware waits. Other updates, such as those of Home
// Assistant's own parts, are not of the device class firmware. One that the owner
// skipped still waits; a preview, which some devices have an entity of its own for,
// waits only for devices that run one.
func (t *entries) setUpdate(ids []string, ev *fact.Evidence) {
	none, unclear := "", false
	for _, id := range ids {
		u, ok := t.home.updates[id]
		if !ok || u.class != "firmware" {
			continue
		}
		proof := fmt.Sprintf("%s installed_version=%s latest_version=%s", id, u.installed, u.latest)
		switch {
		case (u.state == "on" || u.state == "off") && version.IsPreview(u.latest) && !version.IsPreview(u.installed):
			none = cmp.Or(none, proof)
		case u.state == "on", u.state == "off" && u.skipped != "" && u.skipped == u.latest && u.latest != u.installed:
			fact.DeviceUpdate.Set(ev, true, proof)
			return
		case u.state == "off":
			none = proof
		default:
			unclear = true
		}
	}
	switch {
	case unclear:
		fact.DeviceUpdate.Unknown(ev, fact.NotReported)
	case none != "":
		fact.DeviceUpdate.Set(ev, false, none)
	}
}

// setText sets a word that no entry has set before.
func setText(ev *fact.Evidence, w fact.Fact[string], v, proof string) {
	if _, had := w.Get(ev); !had && fact.Clean(v, fact.MaxText) != "" {
		w.Set(ev, v, proof+v)
	}
}
