package zwavejs

import (
	"fmt"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
)

// statusWords are node statuses by number (zwave-js, NodeStatus).
var statusWords = []string{"unknown", "asleep", "awake", "dead", "alive"}

// securityWords are security classes by number (zwave-js, SecurityClass), of
// which -2 is "not known yet".
var securityWords = map[int64]string{
	-1: "none", 0: "s2-unauthenticated", 1: "s2-authenticated", 2: "s2-access-control", 7: "s0",
}

// observation says all that is known of a node.
func (n *network) observation(x node, now time.Time) discovery.Observation {
	ev := fact.New(Name, now)
	o := discovery.Observation{About: []discovery.Identifier{n.id(x.ID)}, Name: x.Name, Facts: ev}
	fact.DeviceKind.Set(ev, "zwave", fmt.Sprintf("node %d of %s", x.ID, n.home))
	answer.SetText(ev, fact.DeviceManufacturer, x.Maker, "manufacturer="+x.Maker)
	answer.SetText(ev, fact.DeviceModel, x.Model, "label="+x.Model)
	answer.SetText(ev, fact.DeviceFirmware, x.Firmware, "firmwareVersion="+x.Firmware)
	n.statusFacts(ev, x)
	if x.ID == n.own {
		n.controllerFacts(ev)
		return o
	}
	o.Via = n.id(n.own)
	class, proof := classOf(x)
	answer.SetText(ev, fact.DeviceClass, class, proof)
	securityFacts(ev, x)
	return o
}

// controllerFacts are those of the stick, which carries the words of its
// network. It has no security class of its own.
func (n *network) controllerFacts(ev *fact.Evidence) {
	fact.DeviceClass.Set(ev, "bridge", "ownNodeId")
	switch {
	case !n.connected:
		fact.ZWaveInclusionOpen.Unknown(ev, fact.SourceDown)
	case !n.inclusion.Known:
		fact.ZWaveInclusionOpen.Unknown(ev, fact.NotReported)
	default:
		fact.ZWaveInclusionOpen.Set(ev, n.inclusion.Value, n.proof)
	}
}

func (n *network) statusFacts(ev *fact.Evidence, x node) {
	s, ok := x.Status.Int(0, int64(len(statusWords)-1))
	switch {
	case !n.connected:
		fact.ZWaveStatus.Unknown(ev, fact.SourceDown)
		fact.DeviceOnline.Unknown(ev, fact.SourceDown)
		return
	case !ok:
		fact.ZWaveStatus.Unknown(ev, fact.NotReported)
		fact.DeviceOnline.Unknown(ev, fact.NotReported)
		return
	}
	proof := fmt.Sprintf("status=%d %s", s, statusWords[s])
	fact.ZWaveStatus.Set(ev, statusWords[s], proof)
	if s == 0 {
		fact.DeviceOnline.Unknown(ev, fact.NotReported)
		return
	}
	fact.DeviceOnline.Set(ev, s != dead, proof)
}

func securityFacts(ev *fact.Evidence, x node) {
	class, ok := x.Security.Int(-2, 255)
	if word := securityWords[class]; ok && word != "" && (x.Interviewed || class >= 0) {
		fact.ZWaveSecurity.Set(ev, word, fmt.Sprintf("highestSecurityClass=%d", class))
	} else {
		fact.ZWaveSecurity.Unknown(ev, fact.NotReported)
	}
	switch {
	case x.Classes[ccSecurity2]:
		fact.ZWaveSupportsS2.Set(ev, true, "command class 159 Security 2")
	case x.ClassesListed:
		fact.ZWaveSupportsS2.Set(ev, false, "no command class 159 Security 2")
	default:
		fact.ZWaveSupportsS2.Unknown(ev, fact.NotReported)
	}
	if is, known := entry(x); known {
		_, proof := classOf(x)
		fact.ZWaveEntry.Set(ev, is, proof)
	} else {
		fact.ZWaveEntry.Unknown(ev, fact.NotReported)
	}
}
