package zigbee2mqtt

import (
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/internal/loosejson"
)

// observation says all that the instance knows of a device.
func (b *bridge) observation(id discovery.Identifier, up bool, now time.Time) discovery.Observation {
	ev := fact.New(Name, now)
	o := discovery.Observation{About: []discovery.Identifier{id}, Facts: ev}
	m, listed := b.members[id]
	fact.DeviceKind.Set(ev, "zigbee", "member of "+b.base)
	if m.Name != "" && !strings.EqualFold(m.Name, "0x"+id.Value) {
		o.Name = m.Name
	}
	if c := b.coordinators(); len(c) == 1 && c[0] != id {
		o.Via = c[0]
	}
	if !listed || m.coordinator() {
		b.coordinatorFacts(ev, up, now)
		return o
	}
	answer.SetText(ev, fact.DeviceManufacturer, m.Maker, "bridge/devices manufacturer="+m.Maker)
	answer.SetText(ev, fact.DeviceModel, m.Model, "bridge/devices model="+m.Model)
	answer.SetText(ev, fact.DeviceFirmware, m.Firmware, "bridge/devices software_build_id="+m.Firmware)
	answer.SetText(ev, fact.DeviceClass, m.Class, m.ClassProof)
	fact.ZigbeeRole.Set(ev, role(m.Type), "bridge/devices type="+m.Type)
	setFlag(ev, fact.ZigbeeSupported, m.Supported, "bridge/devices supported="+word(m.Supported))
	answer.SetText(ev, fact.ZigbeeInterview, m.Interview, m.InterviewBy)
	// All that the bridge reports of a device is in the list; known() relies on it.
	ev.Finish(Name)
	g := b.origins[id]
	setFlag(ev, fact.ZigbeeUninvited, g.uninvited, g.proof)
	s := b.states[m.Name]
	setFlag(ev, fact.DeviceUpdate, s.Update, s.Proof)
	if !up || b.offline() {
		fact.DeviceOnline.Unknown(ev, fact.SourceDown)
	} else {
		a := b.avail[m.Name]
		setFlag(ev, fact.DeviceOnline, a, "availability online="+word(a))
	}
	return o
}

// coordinatorFacts are those of the stick, which carries the words of its network.
func (b *bridge) coordinatorFacts(ev *fact.Evidence, up bool, now time.Time) {
	fact.DeviceClass.Set(ev, "bridge", "type=Coordinator")
	fact.ZigbeeRole.Set(ev, "coordinator", "type=Coordinator")
	if b.info == nil {
		fact.ZigbeeDefaultIDs.Unknown(ev, fact.NotReported)
	} else {
		answer.SetText(ev, fact.DeviceModel, b.info.Radio, "bridge/info coordinator.type")
		answer.SetText(ev, fact.DeviceFirmware, b.info.Revision, "bridge/info coordinator.meta.revision="+b.info.Revision)
		answer.SetText(ev, fact.ZigbeeBridgeVersion, string(b.info.Version), "bridge/info version="+string(b.info.Version))
		setFlag(ev, fact.ZigbeeDefaultIDs, b.info.DefaultIDs, "bridge/info "+b.info.IDs)
	}
	if !up || b.offline() {
		fact.DeviceOnline.Unknown(ev, fact.SourceDown)
		fact.ZigbeeJoinOpen.Unknown(ev, fact.SourceDown)
		fact.ZigbeeJoinOpenSince.Unknown(ev, fact.SourceDown)
		fact.ZigbeeJoinOpenDay.Unknown(ev, fact.SourceDown)
		return
	}
	setFlag(ev, fact.DeviceOnline, b.state, "bridge/state online")
	b.joinFacts(ev, now)
}

func (b *bridge) joinFacts(ev *fact.Evidence, now time.Time) {
	w := &b.join
	// A bridge that is gone leaves its last bridge/info behind, so nothing is
	// believed of it before bridge/state says that it is there.
	if !w.known || !b.state.Known {
		fact.ZigbeeJoinOpen.Unknown(ev, fact.NotReported)
		fact.ZigbeeJoinOpenSince.Unknown(ev, fact.NotReported)
		fact.ZigbeeJoinOpenDay.Unknown(ev, fact.NotReported)
		return
	}
	fact.ZigbeeJoinOpen.Set(ev, w.open, w.proof)
	fact.ZigbeeJoinOpenDay.Set(ev, int64(w.lastDay(now)/time.Second), w.proof)
	if w.open {
		fact.ZigbeeJoinOpenSince.Set(ev, w.since, w.proof)
	} else {
		fact.ZigbeeJoinOpenSince.Unknown(ev, fact.NotReported)
	}
}

func role(t string) string {
	switch t {
	case "Coordinator":
		return "coordinator"
	case "Router":
		return "router"
	case "EndDevice":
		return "end-device"
	case "GreenPower":
		return "green-power"
	}
	return "unknown"
}

func setFlag(ev *fact.Evidence, w fact.Fact[bool], v loosejson.Flag, proof string) {
	switch {
	case v.Known:
		w.Set(ev, v.Value, proof)
	case v.Bad:
		w.Unknown(ev, fact.Unreadable)
	default:
		w.Unknown(ev, fact.NotReported)
	}
}

func word(f loosejson.Flag) string {
	if f.Value {
		return "true"
	}
	return "false"
}
