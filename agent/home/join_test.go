package home

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

const wifiID = discovery.ID("mac_000c43000002")

func merge(device, other discovery.ID) report.Command {
	return report.Command{Action: report.Merge, Device: device, Value: string(other)}
}

func split(device discovery.ID) report.Command {
	return report.Command{Action: report.Split, Device: device}
}

// TestMergeAndSplit: two devices that the owner says are one are shown, judged and
// decided about as one, over a restart too; what was decided of each holds again
// after a split.
func TestMergeAndSplit(t *testing.T) {
	h := newHome(t, 0)
	h.see(1, nil)
	h.see(2, telnet(true))
	h.wait(time.Hour)
	h.do(report.Command{Action: report.Trust, Device: wifiID})
	h.do(report.Command{Action: report.Accept, Device: wifiID, Policy: "telnet-open"})
	events := len(h.events)

	check := func(when string, want map[discovery.ID]string) {
		t.Helper()
		got := map[discovery.ID]string{}
		for _, d := range h.Snapshot(h.now).Devices {
			if d.ID == discovery.Hub {
				continue
			}
			got[d.ID] = string(h.status(d.ID, "telnet-open"))
			if d.Trusted {
				got[d.ID] += " trusted"
			}
			for _, part := range d.Parts {
				got[d.ID] += " with " + string(part)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", when, d)
		}
	}
	two := map[discovery.ID]string{cameraID: "", wifiID: "accepted trusted"}
	one := map[discovery.ID]string{cameraID: "open with " + string(wifiID)}
	check("before", two)
	h.do(merge(cameraID, wifiID))
	h.wait(time.Minute)
	check("merged", one)
	if got := h.Snapshot(h.now).Forgotten; len(got) != 1 || got[0] != wifiID {
		t.Errorf("publishers forget %v, want %v", got, wifiID)
	}
	h.see(2, telnet(true))
	check("the part is seen again", one)
	h.restart()
	check("after a restart", one)
	h.see(1, nil)
	h.see(2, telnet(true))
	check("seen after a restart", one)
	h.do(split(cameraID))
	h.wait(time.Minute)
	// What was found on the whole may be of either: it waits for the next look.
	check("split", map[discovery.ID]string{cameraID: "stale", wifiID: "accepted trusted"})
	if got := h.Snapshot(h.now).Forgotten; len(got) != 0 {
		t.Errorf("publishers forget %v after the split", got)
	}
	for _, n := range h.events[min(events, len(h.events)):] {
		if strings.HasPrefix(n.Type, "device_") {
			t.Errorf("news of devices: %+v", n)
		}
	}
}

// TestMergedFollowsABetterIdentity: a part stays one when it or the whole gets a
// better identity.
func TestMergedFollowsABetterIdentity(t *testing.T) {
	const better = discovery.ID("zigbee_00124b00aabb0001")
	for _, tt := range []struct {
		name string
		old  discovery.ID
		want map[discovery.ID]discovery.ID // by part
	}{
		{"of the part", wifiID, map[discovery.ID]discovery.ID{better: cameraID}},
		{"of the whole", cameraID, map[discovery.ID]discovery.ID{wifiID: better}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t, 0)
			h.see(1, nil)
			h.see(2, nil)
			h.do(merge(cameraID, wifiID))
			h.dec.rename(tt.old, better)
			got := map[discovery.ID]discovery.ID{}
			for id, k := range h.dec.Devices {
				if k.PartOf != "" {
					got[id] = k.PartOf
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("parts (-want +got):\n%s", d)
			}
		})
	}
}

// TestFlatten: whatever parts say of each other, each is a part of one that is none.
func TestFlatten(t *testing.T) {
	type parts map[discovery.ID]discovery.ID
	for _, tt := range []struct {
		name     string
		in, want parts
	}{
		{"flat", parts{"a": "c", "b": "c", "c": ""}, parts{"a": "c", "b": "c", "c": ""}},
		{"a part of a part", parts{"a": "b", "b": "c", "c": ""}, parts{"a": "c", "b": "c", "c": ""}},
		{"of one that nobody knows", parts{"a": "b", "b": "x"}, parts{"a": "x", "b": "x"}},
		{"of itself", parts{"a": "a"}, parts{"a": ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := NewDecisions(noon)
			for id, whole := range tt.in {
				d.device(id, noon).PartOf = whole
			}
			d.flatten()
			got := parts{}
			for id, k := range d.Devices {
				got[id] = k.PartOf
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("parts (-want +got):\n%s", diff)
			}
		})
	}
	d := NewDecisions(noon)
	d.device("a", noon).PartOf, d.device("b", noon).PartOf, d.device("c", noon).PartOf = "b", "c", "a"
	d.flatten()
	whole := 0
	for _, k := range d.Devices {
		if k.PartOf == "" {
			whole++
		} else if d.Devices[k.PartOf].PartOf != "" {
			t.Errorf("a circle leaves a part of the part %q", k.PartOf)
		}
	}
	if whole != 1 {
		t.Errorf("a circle of three leaves %d devices, want 1", whole)
	}
}

// TestForgottenWithItsParts: who is seen again after it was forgotten is a device of
// its own.
func TestForgottenWithItsParts(t *testing.T) {
	h := newHome(t, 0)
	h.see(1, nil)
	h.see(2, nil)
	h.do(merge(cameraID, wifiID))
	h.do(report.Command{Action: report.Forget, Device: cameraID})
	h.see(2, nil)
	if got, there := h.inv.Device(wifiID); !there {
		t.Errorf("devices %v, want %s", h.inv.IDs(), wifiID)
	} else if got.ID != wifiID {
		t.Errorf("it is %s", got.ID)
	}
}

func TestMergesThatMakeNoSense(t *testing.T) {
	h := newHome(t, 0)
	h.see(1, nil)
	h.see(2, nil)
	h.see(3, func(e *fact.Evidence) { fact.WANGateway.Set(e, true, "") })
	h.do(merge(cameraID, wifiID))
	for _, tt := range []struct {
		name string
		cmd  report.Command
		want string
	}{
		{"nothing named", merge(cameraID, ""), `the action "merge" needs the id of the other device as its value`},
		{"no id", merge(cameraID, "Wi-Fi"), `"Wi-Fi" is no device's id`},
		{"not there", merge(cameraID, "mac_000c43000009"), `there is no device "mac_000c43000009"`},
		{"itself", merge(cameraID, cameraID), `"mac_000c43000001" can't be a part of "mac_000c43000001"`},
		{"the hub", merge(cameraID, discovery.Hub), `"hub" can't be a part of "mac_000c43000001"`},
		{"into the hub", merge(discovery.Hub, cameraID), `the hub is Thingwarden itself: the action "merge" is not for it`},
		{"merged already", merge(cameraID, wifiID), `there is no device "mac_000c43000002"`},
		{"into a part", merge(wifiID, cameraID), `there is no device "mac_000c43000002"`},
		{"nothing to split", split("mac_000c43000003"), `"mac_000c43000003" has no such part: nothing was merged with it`},
		{"another's part", report.Command{Action: report.Split, Device: cameraID, Value: "mac_000c43000003"}, `"mac_000c43000001" has no such part: nothing was merged with it`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := errorText(h.decide(tt.cmd, h.now)); got != tt.want {
				t.Errorf("refused with %q, want %q", got, tt.want)
			}
		})
	}
}
