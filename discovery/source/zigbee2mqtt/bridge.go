package zigbee2mqtt

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/internal/loosejson"
)

const (
	// maxNames bounds the names of which an availability or state is kept before
	// they are known to be devices' names.
	maxNames = 4096
	// lifeEvery is how often a device that talks is reported as alive.
	lifeEvery = time.Minute
)

// bridge is one Zigbee2MQTT, as its topics show it.
type bridge struct {
	base    string
	state   loosejson.Flag // online, from bridge/state
	info    *info
	members map[discovery.Identifier]member
	stick   discovery.Identifier // the coordinator among them
	// listed says that bridge/devices was read since the bridge was last lost.
	listed   bool
	avail    map[string]loosejson.Flag // by friendly name
	states   map[string]state          // by friendly name
	join     joinWindow
	origins  map[discovery.Identifier]origin
	heard    map[discovery.Identifier]time.Time
	problems map[string]problem // by topic below the base
	everRead bool               // bridge/devices was read at some time
}

// origin is how a device came into the network.
type origin struct {
	uninvited loosejson.Flag
	proof     string
}

func newBridge(base string) *bridge {
	return &bridge{base: base, members: map[discovery.Identifier]member{}, avail: map[string]loosejson.Flag{},
		states: map[string]state{}, origins: map[discovery.Identifier]origin{}, heard: map[discovery.Identifier]time.Time{},
		problems: map[string]problem{}}
}

// change is what a message changed: devices to be looked at again, and those
// that showed a sign of life.
type change struct {
	all   bool
	ids   []discovery.Identifier
	alive bool
}

// apply takes a message. Messages that cannot be read change nothing but the
// list of problems.
func (b *bridge) apply(m discovery.Message, now time.Time) change {
	topic := strings.TrimPrefix(m.Topic, b.base+"/")
	var c change
	var err error
	switch {
	case topic == "bridge/state":
		c, err = b.applyState(m, now)
	case topic == "bridge/info":
		c, err = b.applyInfo(m, now)
	case topic == "bridge/devices":
		c, err = b.applyDevices(m, now)
	case topic == "bridge/event":
		c, err = b.applyEvent(m, now)
	case strings.HasPrefix(topic, "bridge/"):
		return change{}
	case strings.HasSuffix(topic, "/availability"):
		topic = strings.TrimSuffix(topic, "/availability")
		c, err = b.applyAvailability(topic, m)
		topic = "+/availability"
	default:
		return b.applyDeviceState(topic, m, now)
	}
	switch {
	case err != nil:
		b.problems[topic] = problem{err.Error(), now}
	case topic != "bridge/devices": // which knows its own
		delete(b.problems, topic)
	}
	return c
}

// problem is a message that could not be read.
type problem struct {
	text string
	at   time.Time
}

// passes reports when a problem on that topic is forgotten: retained messages
// stay bad until a good one comes, others are over.
func (p problem) passes(topic string) (time.Time, bool) {
	return p.at.Add(10 * time.Minute), topic == "bridge/event" || topic == "+/availability"
}

func (b *bridge) applyState(m discovery.Message, now time.Time) (change, error) {
	online, err := decodeOnline(m.Payload)
	if err != nil {
		return change{}, err
	}
	if b.state.Known && b.state.Value == online {
		return change{}, nil
	}
	b.state = loosejson.Flag{Value: online, Known: true}
	if !online {
		b.lose(now)
	}
	return change{all: true}, nil
}

// lose is called when the bridge or the broker is no longer heard: what changes
// by the minute is then unknown.
func (b *bridge) lose(now time.Time) {
	b.join.lose(now)
	b.listed = false
	clear(b.avail)
}

func (b *bridge) applyInfo(m discovery.Message, now time.Time) (change, error) {
	i, err := decodeInfo(m.Payload)
	if err != nil {
		return change{}, err
	}
	b.info = &i
	proof := fmt.Sprintf("bridge/info permit_join=%t", i.PermitJoin.Value)
	var end time.Time
	if ms, ok := i.PermitJoinEnd.Int(1, 1<<50); ok && i.PermitJoin.Value {
		end = time.UnixMilli(ms)
		proof += " permit_join_end=" + end.UTC().Format(time.RFC3339)
	}
	b.join.set(i.PermitJoin.Value, end, !m.Retained, proof, now)
	return change{ids: b.coordinators()}, nil
}

func (b *bridge) offline() bool { return b.state.Known && !b.state.Value }

// coordinators returns the identifier of the coordinator; none if it is unknown.
func (b *bridge) coordinators() []discovery.Identifier {
	switch {
	case b.stick != (discovery.Identifier{}):
		return []discovery.Identifier{b.stick}
	case b.info != nil && b.info.Coordinator != (discovery.Identifier{}):
		return []discovery.Identifier{b.info.Coordinator}
	}
	return nil
}

func (b *bridge) applyDevices(m discovery.Message, now time.Time) (change, error) {
	list, spoilt, err := decodeDevices(m.Payload, maxMembers)
	if err != nil {
		return change{}, err
	}
	delete(b.problems, "bridge/devices")
	if spoilt != "" {
		b.problems["bridge/devices"] = problem{spoilt, now}
	}
	old := b.members
	b.members = make(map[discovery.Identifier]member, len(list))
	c := change{}
	for _, d := range list {
		b.members[d.ID] = d
		if d.coordinator() {
			b.stick = d.ID
		}
		c.ids = append(c.ids, d.ID)
		if _, known := old[d.ID]; !known {
			b.origins[d.ID] = b.originOfListed(m.Retained, now)
		}
	}
	for id, d := range old {
		if _, stays := b.members[id]; stays {
			continue
		}
		c.ids = append(c.ids, id)
		// An entry that could not be read may be this very device.
		if spoilt != "" || d.ViaJoin && now.Sub(b.heard[id]) < lifeEvery {
			b.members[id] = d
			continue
		}
		delete(b.origins, id)
		delete(b.heard, id)
	}
	wasListed := b.listed
	b.listed, b.everRead = true, true
	if !wasListed {
		c.all = true
	}
	return c, nil
}

// originOfListed judges a device that is new in bridge/devices. Retained and
// first lists do not show when it joined.
func (b *bridge) originOfListed(retained bool, now time.Time) origin {
	switch {
	case !b.everRead:
		return origin{loosejson.Flag{Known: true}, "bridge/devices: listed when first read"}
	case retained || !b.listed:
		return origin{} // joined while the source was not connected
	}
	return b.originNow("bridge/devices: new", now)
}

func (b *bridge) originNow(what string, now time.Time) origin {
	invited, known := b.join.invited(now)
	if !known {
		return origin{}
	}
	return origin{loosejson.Flag{Value: !invited, Known: true}, fmt.Sprintf("%s, %s", what, b.join.proof)}
}

func (b *bridge) applyEvent(m discovery.Message, now time.Time) (change, error) {
	e, err := decodeEvent(m.Payload)
	if err != nil || e.Type == "" || m.Retained {
		return change{}, err // a retained event is none of Zigbee2MQTT's: it is old or forged
	}
	d, known := b.members[e.ID]
	switch e.Type {
	case "device_joined":
		if !known {
			if len(b.members) >= maxMembers {
				return change{}, fmt.Errorf("more than %d devices", maxMembers)
			}
			d = member{ID: e.ID, Name: e.Name, Type: "Unknown", Interview: "pending", InterviewBy: "bridge/event device_joined", ViaJoin: true}
			b.origins[e.ID] = b.originNow("bridge/event device_joined", now)
		}
	case "device_interview":
		if !known {
			return change{}, nil
		}
		d.Interview = map[string]string{"started": "in-progress", "successful": "successful", "failed": "failed"}[e.Status]
		d.InterviewBy = "bridge/event device_interview status=" + e.Status
		if e.Supported.Known {
			d.Supported = e.Supported
		}
	case "device_leave":
		// Listed devices go when bridge/devices, which follows, lists them no more.
		if known && d.ViaJoin {
			delete(b.members, e.ID)
			delete(b.origins, e.ID)
			delete(b.heard, e.ID)
		}
		return change{ids: []discovery.Identifier{e.ID}}, nil
	default:
		if !known {
			return change{}, nil
		}
	}
	b.members[e.ID] = d
	b.heard[e.ID] = now
	return change{ids: []discovery.Identifier{e.ID}, alive: true}, nil
}

func (b *bridge) applyAvailability(name string, m discovery.Message) (change, error) {
	if len(m.Payload) == 0 {
		delete(b.avail, name)
		return change{ids: b.named(name)}, nil
	}
	online, err := decodeOnline(m.Payload)
	if err != nil {
		return change{}, err
	}
	if _, ok := b.avail[name]; !ok && len(b.avail) >= maxNames {
		return change{}, nil
	}
	b.avail[name] = loosejson.Flag{Value: online, Known: true}
	return change{ids: b.named(name), alive: online && !m.Retained}, nil
}

func (b *bridge) applyDeviceState(name string, m discovery.Message, now time.Time) change {
	ids := b.named(name)
	fresh := len(ids) == 1 && !m.Retained && now.Sub(b.heard[ids[0]]) >= lifeEvery
	if !fresh && !bytes.Contains(m.Payload, []byte(`"update`)) {
		return change{}
	}
	s, err := decodeState(m.Payload)
	if err != nil {
		return change{} // any device may write anything on its own topic
	}
	c := change{ids: ids}
	if fresh && (s.LastSeen.IsZero() || now.Sub(s.LastSeen) < 2*lifeEvery) {
		c.alive = true
		b.heard[ids[0]] = now
	}
	if _, ok := b.states[name]; s.Update.Known && (ok || len(b.states) < maxNames) {
		b.states[name] = s
	}
	return c
}

// named returns the device with that friendly name.
func (b *bridge) named(name string) []discovery.Identifier {
	for id, m := range b.members {
		if m.Name == name {
			return []discovery.Identifier{id}
		}
	}
	return nil
}
