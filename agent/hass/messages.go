package hass

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

// messages makes every retained message that shows a snapshot, device by
// device, the hub first. The same snapshot gives the same bytes. Devices in
// deleted, and provisional ones, are left out.
func messages(s *report.Snapshot, o Options, deleted map[discovery.ID]bool) []deviceMessages {
	return drawings{}.messages(s, o, deleted)
}

// drawings are the messages of devices as they were made last: most snapshots
// differ in one device.
type drawings map[discovery.ID]drawing

type drawing struct {
	device   report.Device // as far as it is shown
	hubShown bool
	messages deviceMessages
	lastScan time.Time // of the hub
}

// scanShown is how long the time of the last scan stays as it is: devices are
// looked at all day long, and Home Assistant's activity has a line for each change.
const scanShown = time.Hour

func (c drawings) messages(s *report.Snapshot, o Options, deleted map[discovery.ID]bool) []deviceMessages {
	n := names{o.Site, o.Prefix}
	out := make([]deviceMessages, 0, len(s.Devices)+1)
	if !deleted[discovery.Hub] {
		h := *s
		h.LastScan = c.lastScan(s.LastScan)
		out = append(out, n.hub(&h, o))
	}
	shown := map[discovery.ID]bool{discovery.Hub: true}
	for _, d := range s.Devices {
		if d.ID != discovery.Hub && !d.Provisional && !d.Hidden && !d.Muted && !deleted[d.ID] && idForm.MatchString(string(d.ID)) {
			out = append(out, c.draw(n, d, o, !deleted[discovery.Hub]))
			shown[d.ID] = true
		}
	}
	maps.DeleteFunc(c, func(id discovery.ID, _ drawing) bool { return !shown[id] })
	return out
}

// lastScan is the time of the last scan that is shown when it was at t.
func (c drawings) lastScan(t time.Time) time.Time {
	if old := c[discovery.Hub].lastScan; !t.Before(old) && t.Sub(old) < scanShown {
		return old
	}
	c[discovery.Hub] = drawing{lastScan: t}
	return t
}

func (c drawings) draw(n names, d report.Device, o Options, hubShown bool) deviceMessages {
	// What is never shown must not count as a change.
	d.LastSeen, d.Sent, d.Verdicts = time.Time{}, report.Sent{}, nil
	facts := d.Facts
	d.Facts = nil
	for _, e := range facts {
		if e.Name == fact.DeviceMACVendor.Name() {
			d.Facts = []fact.Entry{e}
		}
	}
	if old, ok := c[d.ID]; ok && old.hubShown == hubShown && reflect.DeepEqual(old.device, d) {
		return old.messages
	}
	c[d.ID] = drawing{device: d, hubShown: hubShown, messages: n.device(d, o, hubShown)}
	return c[d.ID].messages
}

func (n names) hub(s *report.Snapshot, o Options) deviceMessages {
	components := n.hubComponents()
	states := []message{n.hubMessage(s)}
	if d := s.Device(discovery.Hub); d != nil {
		states = append(states, n.findings(*d, components)...)
	}
	return n.finish(discovery.Hub, n.hubInfo(s, o), s.Version, components, states, o)
}

// device leaves our version to the hub: with it, each update of ours would
// publish every configuration anew, and with it every entity that the owner
// deleted.
func (n names) device(d report.Device, o Options, hubShown bool) deviceMessages {
	components := n.deviceComponents(d)
	states := append([]message{n.deviceMessage(d)}, n.findings(d, components)...)
	return n.finish(d.ID, n.deviceInfo(d, hubShown, o), "", components, states, o)
}

// findings adds the entities of a device's findings and returns their states. Those
// that only inform have none.
func (n names) findings(d report.Device, components map[string]component) []message {
	var states []message
	for _, f := range d.Findings {
		if f.Policy == nil || f.Severity == policy.Info {
			continue
		}
		components[policyKey(f.Policy.ID)] = n.findingComponent(d.ID, f.Policy)
		states = append(states, n.findingMessage(d.ID, f))
	}
	return states
}

func (n names) finish(id discovery.ID, d device, version string, cs map[string]component, states []message, o Options) deviceMessages {
	slices.SortFunc(states, func(a, b message) int { return cmp.Compare(a.topic, b.topic) })
	out := deviceMessages{id: id, states: states, keys: make(map[string]string, len(cs)), content: config{
		Device:       d,
		Origin:       origin{Name: "Thingwarden", SWVersion: name(version, maxInfo), SupportURL: o.SupportURL},
		Availability: StatusTopic(n.site), QoS: 1, Components: cs,
	}}
	for key, c := range cs {
		out.keys[key] = c.Platform
	}
	out.config = newMessage(n.config(id), encode(out.content))
	return out
}

// without is the configuration in which the components of gone are reduced to
// what makes Home Assistant remove their entities.
func (m deviceMessages) without(gone map[string]string) []byte {
	c := m.content
	c.Components = make(map[string]component, len(m.keys)+len(gone))
	maps.Copy(c.Components, m.content.Components)
	for key, platform := range gone {
		c.Components[key] = component{Platform: platform}
	}
	return encode(c)
}
