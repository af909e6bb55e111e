package zigbee2mqtt

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/delta"
)

const (
	// maxMembers is the most devices of one Zigbee network that are looked at.
	maxMembers = 2000
	// maxBridges is the most Zigbee2MQTT instances on one broker.
	maxBridges = 16
	// refresh is how often everything is reported again, so that facts that age stay.
	refresh = 12 * time.Hour
)

// home is all the instances on the broker, and what was reported of their devices.
// It is pure: messages and time in, observations out.
type home struct {
	bridges  []*bridge    // in the order in which they were found
	reported delta.Memory // by IEEE address
	refresh  time.Time
	up       bool // the broker is there
	tooMany  bool
}

func newHome(now time.Time) *home {
	return &home{up: true, refresh: now.Add(refresh)}
}

// life says whether an observation is a sign of life of its device.
type life int

const (
	quiet    life = iota
	wasHeard      // the device was heard
	ifOnline      // it is if the bridge, which hears the device, says so
)

// bridge returns the instance with that base topic, or nil.
func (h *home) bridge(base string) *bridge {
	for _, b := range h.bridges {
		if b.base == base {
			return b
		}
	}
	return nil
}

// found adds an instance when a message shows that there is one.
func (h *home) found(m discovery.Message) (*bridge, bool) {
	base, ok := strings.CutSuffix(m.Topic, "/bridge/info")
	if !ok || base == "" || len(base) > maxName {
		return nil, false
	}
	if _, err := decodeInfo(m.Payload); err != nil {
		return nil, false // some other program's bridge/info
	}
	if h.tooMany = len(h.bridges) >= maxBridges; h.tooMany {
		return nil, false
	}
	b := newBridge(base)
	h.bridges = append(h.bridges, b)
	return b, true
}

// broker is called when the connection to the broker comes or goes.
func (h *home) broker(up bool, now time.Time) []discovery.Observation {
	h.up = up
	if !up {
		for _, b := range h.bridges {
			b.lose(now)
			b.state.Known = false
		}
	}
	return h.observe(h.all(), quiet, now)
}

// message hands a message to the instance and returns what is new.
func (h *home) message(b *bridge, m discovery.Message, now time.Time) []discovery.Observation {
	c := b.apply(m, now)
	if c.all {
		// Which instance speaks for a device may have changed with it.
		c.ids = h.all()
	}
	life := quiet
	if c.alive {
		life = wasHeard
	}
	return h.observe(c.ids, life, now)
}

// tick is called when next is due.
func (h *home) tick(now time.Time) []discovery.Observation {
	if !now.Before(h.refresh) {
		h.refresh = now.Add(refresh)
		h.reported.RepeatAll()
		return h.observe(h.all(), ifOnline, now)
	}
	var ids []discovery.Identifier
	for _, b := range h.bridges {
		b.join.tick(now)
		maps.DeleteFunc(b.problems, func(topic string, p problem) bool {
			end, ends := p.passes(topic)
			return ends && !now.Before(end)
		})
		ids = append(ids, b.coordinators()...)
	}
	return h.observe(ids, quiet, now)
}

// next returns when tick has something to do.
func (h *home) next(now time.Time) time.Time {
	next := h.refresh
	for _, b := range h.bridges {
		if t := b.join.next(now); !t.IsZero() && t.Before(next) {
			next = t
		}
		for topic, p := range b.problems {
			if t, ends := p.passes(topic); ends && t.Before(next) {
				next = t
			}
		}
	}
	return next
}

func (h *home) all() []discovery.Identifier {
	var ids []discovery.Identifier
	for _, ieee := range h.reported.Keys() {
		ids = append(ids, discovery.Identifier{Kind: discovery.ZigbeeID, Value: ieee})
	}
	for _, b := range h.bridges {
		ids = append(ids, b.coordinators()...)
		ids = slices.AppendSeq(ids, maps.Keys(b.members))
	}
	return ids
}

// owner returns the instance whose reports count for a device: one that is online
// and has listed its devices before one that is not (a base topic given up leaves
// its retained messages behind), then the one that hears it: a device that was
// moved stays in the list of its old instance. The order in which retained messages
// come decides nothing. Nil if none lists the device.
func (h *home) owner(id discovery.Identifier) *bridge {
	var found *bridge
	for _, b := range h.bridges {
		_, listed := b.members[id]
		if !listed && !slices.Contains(b.coordinators(), id) {
			continue
		}
		if found == nil || b.compare(found, id) > 0 {
			found = b
		}
	}
	return found
}

// compare says which of two instances that list a device speaks for it: positive
// if it is b.
func (b *bridge) compare(other *bridge, id discovery.Identifier) int {
	return cmp.Or(
		cmp.Compare(b.rank(), other.rank()),
		cmp.Compare(b.canHear(id), other.canHear(id)),
		b.heard[id].Compare(other.heard[id]),
		cmp.Compare(other.base, b.base),
	)
}

// canHear says whether an instance hears a device: 2 if it does, 1 if it does not
// say, 0 if it does not.
func (b *bridge) canHear(id discovery.Identifier) int {
	switch a := b.avail[b.members[id].Name]; {
	case !a.Known:
		return 1
	case a.Value:
		return 2
	}
	return 0
}

func (b *bridge) rank() int {
	switch {
	case b.offline():
		return 0
	case !b.listed:
		return 1
	}
	return 2
}

// observe returns observations of the devices whose state differs from what was
// reported, and of all of them when they are alive.
func (h *home) observe(ids []discovery.Identifier, life life, now time.Time) []discovery.Observation {
	slices.SortFunc(ids, func(a, b discovery.Identifier) int { return cmp.Compare(a.Value, b.Value) })
	var out []discovery.Observation
	for _, id := range slices.Compact(ids) {
		b := h.owner(id)
		if b == nil {
			if _, was := h.reported.Last(id.Value); was {
				h.reported.Forget(id.Value)
				out = append(out, discovery.Observation{About: []discovery.Identifier{id}, Gone: true})
			}
			continue
		}
		o := b.observation(id, h.up, now)
		online, known := fact.DeviceOnline.Get(o.Facts)
		o.Quiet = life == quiet || known && !online || life == ifOnline && !known
		if h.reported.Changed(id.Value, o, now) || !o.Quiet {
			out = append(out, o)
		}
	}
	return out
}

// health says how the source is, in one sentence.
func (h *home) health() (discovery.Status, string) {
	if !h.up {
		return discovery.Down, "The MQTT broker is not connected, so Thingwarden cannot see Zigbee devices."
	}
	var offline, spoilt []string
	for _, b := range h.bridges {
		if b.offline() {
			offline = append(offline, fact.Clean(b.base, 64))
		}
		for _, topic := range slices.Sorted(maps.Keys(b.problems)) {
			spoilt = append(spoilt, fact.Clean(fmt.Sprintf("%s/%s: %s", b.base, topic, b.problems[topic].text), fact.MaxText))
		}
	}
	switch {
	case len(offline) > 0 && len(offline) == len(h.bridges):
		return discovery.Down, fmt.Sprintf("Zigbee2MQTT (%s) is offline.", strings.Join(offline, ", "))
	case len(offline) > 0:
		return discovery.Degraded, fmt.Sprintf("Zigbee2MQTT (%s) is offline.", strings.Join(offline, ", "))
	case len(spoilt) > 0:
		return discovery.Degraded, fmt.Sprintf("A message of Zigbee2MQTT could not be read: %s.", strings.Join(spoilt[:min(len(spoilt), 3)], "; "))
	case h.tooMany:
		return discovery.Degraded, fmt.Sprintf("More than %d Zigbee2MQTT instances are on the broker; the others are ignored.", maxBridges)
	}
	return discovery.OK, ""
}
