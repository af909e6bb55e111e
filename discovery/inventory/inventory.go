// Package inventory merges observations into devices. It decides which device an
// observation is about, keeps apart what each source says, lets old words expire,
// and derives the words that need all devices at once.
//
// It has no clock, no network and no logger, and it is not its job to judge
// (package policy) or to remember the owner's decisions (package agent).
package inventory

import (
	"net/netip"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

const (
	// MaxDevices is the largest number of devices of a home, besides the hub. A new
	// device takes the place of the one that was unseen for longest and that Keep
	// does not protect; if Keep protects them all, the new one is left out.
	MaxDevices      = 2000
	maxPending      = 512
	maxPortMappings = 256 // of one router, by one source
	maxIDs          = 32  // identifiers of one device, so that nobody owns every address
	// pendingFor is how long facts about an address wait for its owner's MAC: a
	// kernel that remembers who had it waits five seconds, asks three times a
	// second apart, and a device that is known must not seem new.
	pendingFor = 10 * time.Second
	// addrKept is how long an address stays with a device that is there and does
	// not have it any more.
	addrKept = time.Hour
)

// Inventory merges observations into devices: it decides which device an
// observation is about and keeps what each source says apart, so that it can be
// withdrawn. It is not safe for concurrent use; the agent's loop owns it.
type Inventory struct {
	networks func() discovery.Networks
	traits   Traits
	keep     func(discovery.ID) bool
	records  map[discovery.ID]*record
	owner    map[discovery.Identifier]discovery.ID // every identifier of every device; addresses as IPID
	pending  []discovery.Observation
	joined   map[discovery.ID]discovery.ID // parts of devices, and as which these are shown
	shared   bool                          // a device has shared its hardware address with others
}

type record struct {
	id          discovery.ID
	ids         map[discovery.Identifier]bool      // value: the address is only claimed
	named       map[discovery.Identifier]time.Time // when an address was last told to be its
	via         discovery.Identifier
	by          map[string]*contribution
	first, last time.Time
	alive       bool // it was heard, and not just told of
}

// contribution is what one source or probe says of one device.
type contribution struct {
	name     string
	services []discovery.Service

	portMappings []discovery.PortMapping
	disputed     []discovery.AddressDispute

	facts    *fact.Evidence
	from     map[string]bool // addresses from which it was heard, where that is all that was known
	restored bool            // from an earlier run, and not told again
}

// New returns an inventory with the hub's own device in it.
// The traits of the sources say how far whose word goes. Keep says which devices
// must not make room for others.
func New(networks func() discovery.Networks, sources []discovery.SourceKind, keep func(discovery.ID) bool, now time.Time) *Inventory {
	inv := &Inventory{
		networks: networks, traits: TraitsOf(sources), keep: keep,
		records: map[discovery.ID]*record{}, owner: map[discovery.Identifier]discovery.ID{},
		joined: map[discovery.ID]discovery.ID{},
	}
	hub := inv.add(discovery.Hub, now)
	hub.contribution(agentName, now)
	e := fact.New(agentName, now)
	fact.DeviceKind.Set(e, "hub", "")
	fact.DeviceClass.Set(e, "hub", "")
	hub.by[agentName].facts = e
	return inv
}

// Outcome says what an observation changed.
type Outcome struct {
	Changed  []discovery.ID                // devices that differ now
	Appeared []discovery.ID                // among Changed: devices that were not there
	Renamed  map[discovery.ID]discovery.ID // old to new: a device got a better identity
	Removed  []discovery.ID                // devices that no source sees any more
	Full     bool                          // a device was removed or left out because there are MaxDevices
	Resolve  []netip.Addr                  // on-link addresses whose hardware address should be asked for
}

func (o *Outcome) add(p Outcome) {
	o.Changed = append(o.Changed, p.Changed...)
	o.Appeared = append(o.Appeared, p.Appeared...)
	o.Removed = append(o.Removed, p.Removed...)
	o.Resolve = append(o.Resolve, p.Resolve...)
	o.Full = o.Full || p.Full
	for old, id := range p.Renamed {
		o.rename(old, id)
	}
}

func (o *Outcome) rename(old, id discovery.ID) {
	if o.Renamed == nil {
		o.Renamed = map[discovery.ID]discovery.ID{}
	}
	o.Renamed[old] = id
}

// Observe takes an observation in. Its By and At must be set.
func (inv *Inventory) Observe(o discovery.Observation) Outcome { return inv.asShown(inv.observe(o)) }

func (inv *Inventory) observe(o discovery.Observation) Outcome {
	var out Outcome
	if len(o.About) == 0 {
		inv.apply(inv.records[discovery.Hub], o, &out)
		return out
	}
	strong, weak := split(o.About)
	if len(strong) == 0 {
		inv.observeWeak(o, weak, &out)
		return out
	}
	r := inv.find(strong)
	if r == nil {
		if o.Gone {
			return out
		}
		if r = inv.admit(strong[0].ID(), o, &out); r == nil {
			return out
		}
	}
	for _, i := range strong {
		inv.bind(r, i)
	}
	parts, all := inv.partsOf(r, weak, o.At, &out)
	for _, i := range weak {
		if inv.partAt(r, i) == nil {
			inv.bindAddr(r, i, o.At, &out)
		}
	}
	if len(weak) > 0 {
		inv.dropOldAddrs(r, o.At, &out)
	}
	if !all || inv.traits.Has(o.By, discovery.Resolves) {
		inv.apply(r, o, &out)
	}
	inv.reportParts(parts, o, &out)
	inv.separate(r, o, &out)
	return out
}

// observeWeak handles an observation that knows only addresses. On a network
// whose hardware addresses we can learn it waits for the owner, so that no
// device is first made by its address and then again by its MAC.
func (inv *Inventory) observeWeak(o discovery.Observation, weak []discovery.Identifier, out *Outcome) {
	for _, i := range weak {
		if id, ok := inv.owner[discovery.Identifier{Kind: discovery.IPID, Value: i.Value}]; ok {
			inv.apply(inv.records[id], o, out)
			return
		}
	}
	addr, err := netip.ParseAddr(weak[0].Value)
	if err != nil || o.Gone || inv.networks().Own(addr) {
		return // what the hub says on one interface is heard on another
	}
	if _, onLink := inv.networks().OnLink(addr); !onLink || inv.traits.Has(o.By, discovery.Resolves) {
		inv.observeRouted(o, addr, out)
		return
	}
	out.Resolve = append(out.Resolve, addr)
	if len(inv.pending) >= maxPending {
		inv.pending = slices.Delete(inv.pending, 0, 1)
	}
	inv.pending = append(inv.pending, o)
}

func (inv *Inventory) observeRouted(o discovery.Observation, addr netip.Addr, out *Outcome) {
	if inv.traits.Has(o.By, discovery.Opinion) || !addr.IsPrivate() && !addr.IsLinkLocalUnicast() {
		return
	}
	r := inv.admit(discovery.IP(addr).ID(), o, out)
	if r == nil {
		return
	}
	inv.bindAddr(r, discovery.IP(addr), o.At, out)
	inv.apply(r, o, out)
}

// Tick makes devices of addresses whose hardware address did not turn up in
// time, and returns when it wants to be called next; zero if it need not be.
func (inv *Inventory) Tick(now time.Time) (Outcome, time.Time) {
	var out Outcome
	var next time.Time
	waiting := inv.pending
	inv.pending = nil
	for _, o := range waiting {
		if end := o.At.Add(pendingFor); now.Before(end) {
			inv.pending = append(inv.pending, o)
			if next.IsZero() || end.Before(next) {
				next = end
			}
			continue
		}
		_, weak := split(o.About)
		if _, ok := inv.owner[discovery.Identifier{Kind: discovery.IPID, Value: weak[0].Value}]; ok {
			inv.observeWeak(o, weak, &out)
			continue
		}
		if addr, err := netip.ParseAddr(weak[0].Value); err == nil {
			inv.observeRouted(o, addr, &out)
		}
	}
	return inv.asShown(out), next
}

func (inv *Inventory) add(id discovery.ID, at time.Time) *record {
	r := &record{id: id, ids: map[discovery.Identifier]bool{}, named: map[discovery.Identifier]time.Time{}, by: map[string]*contribution{}, first: at, last: at}
	inv.records[id] = r
	return r
}

// Forget removes a device with all that is known of it and its parts.
func (inv *Inventory) Forget(id discovery.ID) {
	for _, r := range inv.group(id) {
		inv.forget(r.id)
	}
}

func (inv *Inventory) forget(id discovery.ID) {
	r := inv.records[id]
	if r == nil || id == discovery.Hub {
		return
	}
	for i := range r.ids {
		delete(inv.owner, i)
	}
	delete(inv.records, id)
}
