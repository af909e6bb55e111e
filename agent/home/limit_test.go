package home

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/inventory"
	"github.com/thingwarden/thingwarden/policy"
)

// member is a device of a bridge's network.
func member(t testing.TB, n int) discovery.Identifier {
	t.Helper()
	id, ok := discovery.Zigbee(fmt.Sprintf("0x%016x", n))
	if !ok {
		t.Fatal("bad IEEE address")
	}
	return id
}

// list lets a bridge report its members from first to last, or that they left.
func (h *testHome) list(by string, first, last int, gone bool) {
	h.t.Helper()
	for n := first; n <= last; n++ {
		o := discovery.Observation{By: by, At: h.now, About: []discovery.Identifier{member(h.t, n)}, Gone: gone}
		if !gone {
			o.Facts = fact.New(by, h.now)
			fact.DeviceKind.Set(o.Facts, "zigbee", "")
			fact.DeviceModel.Set(o.Facts, "made-up", "")
			fact.ZigbeeUninvited.Set(o.Facts, true, "") // makes its finding an event
			o.Facts.Finish(by)
		}
		h.observe(o, h.now)
	}
	h.tick(h.now)
}

// TestReportedDevicesAreLimited is about threats T11 and T14 of the catalogue: who
// writes a bridge's messages makes as many devices as they like.
func TestReportedDevicesAreLimited(t *testing.T) {
	type outcome struct {
		Appeared, Gone, Returned, Findings int
		Summaries                          []int
		Shown, Judged                      int
	}
	tests := []struct {
		name     string
		learning time.Duration
		do       func(h *testHome)
		want     outcome
	}{
		{"a list that is learned is no news", 24 * time.Hour, func(h *testHome) {
			h.list("bridge", 1, 50, false)
			h.wait(2 * time.Minute)
		}, outcome{Shown: 50}},
		{"first list after learning", time.Hour, func(h *testHome) {
			h.wait(2 * time.Hour)
			h.list("bridge", 1, 50, false)
			h.wait(2 * time.Minute)
		}, outcome{Summaries: []int{50}, Shown: newPerHour, Judged: 50}},
		{"short first list after learning", time.Hour, func(h *testHome) {
			h.wait(2 * time.Hour)
			h.list("bridge", 1, 5, false)
			h.wait(2 * time.Minute)
		}, outcome{Summaries: []int{5}, Shown: 5, Judged: 5}},
		{"first list of another program", time.Hour, func(h *testHome) {
			h.wait(2 * time.Hour)
			h.list("homeassistant", 1, 5, false)
			h.wait(2 * time.Minute)
		}, outcome{Summaries: []int{5}, Shown: 5, Judged: 5}},
		{"what joins after the first list is news", time.Hour, func(h *testHome) {
			h.wait(2 * time.Hour)
			h.list("bridge", 1, 5, false)
			h.wait(2 * time.Minute)
			h.list("bridge", 6, 7, false)
			h.wait(2 * time.Minute)
		}, outcome{Appeared: 2, Findings: 2, Summaries: []int{5}, Shown: 7, Judged: 7}},
		{"a restart makes no first list", time.Hour, func(h *testHome) {
			h.list("bridge", 1, 5, false)
			h.wait(2 * time.Hour)
			h.restart()
			h.list("bridge", 1, 7, false)
			h.wait(2 * time.Minute)
		}, outcome{Appeared: 2, Findings: 2, Shown: 7, Judged: 2}},
		{"forged list of a known bridge", time.Hour, func(h *testHome) {
			h.list("bridge", 1, 5, false)
			h.wait(2 * time.Hour)
			h.list("bridge", 1001, 1300, false)
			h.wait(2 * time.Minute)
		}, outcome{Appeared: newPerHour, Findings: newPerHour, Summaries: []int{300 - newPerHour}, Shown: 5 + newPerHour, Judged: 300}},
		{"two forged lists in turns", time.Hour, func(h *testHome) {
			h.list("bridge", 1, 5, false)
			h.wait(2 * time.Hour)
			for range 20 {
				for _, first := range []int{1001, 2001} {
					h.list("bridge", first, first+99, false)
					h.wait(time.Second)
					h.list("bridge", first, first+99, true)
				}
			}
			h.list("bridge", 2001, 2100, false)
			h.wait(2 * time.Minute)
		}, outcome{Appeared: newPerHour, Gone: newPerHour, Findings: newPerHour, Summaries: []int{100}, Shown: 5, Judged: 100}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t, tt.learning)
			tt.do(h)
			got := outcome{Shown: h.shownDevices()}
			for _, e := range h.events {
				switch e.Type {
				case report.DeviceAppeared:
					got.Appeared++
				case report.DeviceGone:
					got.Gone++
				case report.DeviceReturned:
					got.Returned++
				case report.DeviceSummary:
					got.Summaries = append(got.Summaries, e.Count)
				case string(policy.FindingOpened):
					got.Findings++
				}
			}
			for _, d := range h.Snapshot(h.now).Devices {
				if slices.ContainsFunc(d.Findings, func(f policy.Finding) bool { return f.Policy.ID == "new-device" && f.Status == policy.Open }) {
					got.Judged++
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestWhoMakesRoom is about threats T11 and T14: two forged lists, each as long as
// a home can be, do not push out a device that is more than reported.
func TestWhoMakesRoom(t *testing.T) {
	tests := []struct {
		name string
		do   func(h *testHome) discovery.ID
		want bool // it is there still
	}{
		{"only reported in this run", func(h *testHome) discovery.ID {
			h.list("bridge", 1, 1, false)
			return member(t, 1).ID()
		}, false},
		{"only said by another program to answer", func(h *testHome) discovery.ID {
			mac, _ := discovery.MAC("000c43000001")
			e := fact.New("homeassistant", h.now)
			fact.DeviceReachable.Set(e, true, "told")
			h.observe(discovery.Observation{By: "homeassistant", At: h.now, About: []discovery.Identifier{mac}, Facts: e}, h.now)
			h.tick(h.now)
			return mac.ID()
		}, false},
		{"answered", func(h *testHome) discovery.ID { return h.see(1, nil) }, true},
		{"decided on", func(h *testHome) discovery.ID {
			h.list("bridge", 1, 1, false)
			id := member(t, 1).ID()
			h.do(report.Command{Action: report.Trust, Device: id})
			return id
		}, true},
		{"seen in an earlier run", func(h *testHome) discovery.ID {
			h.list("bridge", 1, 1, false)
			h.wait(time.Hour)
			h.restart()
			return member(t, 1).ID()
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t, 24*time.Hour)
			real := tt.do(h)
			for _, first := range []int{10_001, 20_001} {
				h.now = h.now.Add(time.Minute)
				h.list("bridge", first, first+inventory.MaxDevices-1, false)
			}
			if n := len(h.inv.IDs()); n != inventory.MaxDevices+1 {
				t.Errorf("%d devices with the hub, want %d", n, inventory.MaxDevices+1)
			}
			if got := slices.Contains(h.inv.IDs(), real); got != tt.want {
				t.Errorf("the device is there: %t, want %t", got, tt.want)
			}
			if n := len(h.events); n > maxEvents {
				t.Errorf("%d events are remembered, want at most %d", n, maxEvents)
			}
			if got := h.health["device limit"].Status; got != discovery.Degraded {
				t.Errorf("health of the limit is %q", got)
			}
		})
	}
}
