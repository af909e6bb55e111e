package agent

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Questions for hardware addresses, a second and at once.
const (
	resolvePerSec = 50
	resolveBurst  = 128
)

// neverProbe reports whether the owner calls a device medical or an alarm. The
// source that tells the class comes once a minute, which is too late for a
// device that was just switched on. A claim is enough to be left alone.
func (a *Agent) neverProbe(d discovery.Device, _ *fact.Evidence) bool {
	for _, x := range a.opt.Config.Devices {
		if x.Class != "medical" && x.Class != "alarm" {
			continue
		}
		i, ok := discovery.ParseID(x.Match)
		claimed := discovery.Identifier{Kind: discovery.ClaimedIP, Value: i.Value}
		if ok && (d.Has(i) || i.Kind == discovery.IPID && d.Has(claimed)) {
			return true
		}
	}
	return false
}

// tellFragile shows which devices are left alone.
func (a *Agent) tellFragile(c *core) {
	const name = "devices left alone"
	var names []string
	for _, id := range a.prober.Fragile() {
		if d, ok := c.inv.Device(id); ok {
			names = append(names, cmp.Or(d.Name, string(id)))
		}
	}
	switch _, told := c.health[name]; {
	case len(names) > 0:
		c.setHealth(name, discovery.Degraded, fmt.Sprintf(
			"Fell silent twice right after they were asked something, so they are only listened to until you press \"Check now\" on them: %s.",
			fact.Clean(strings.Join(names, ", "), fact.MaxText)))
	case told:
		c.setHealth(name, discovery.OK, "")
	}
}
