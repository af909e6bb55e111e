package agent

import (
	"strings"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/policy"
)

func TestHistory(t *testing.T) {
	var h history
	snapshot := func(at time.Time, checked int) *report.Snapshot {
		return &report.Snapshot{At: at, Devices: []report.Device{{
			Device: discovery.Device{ID: cameraID}, Checked: checked,
			Findings: []policy.Finding{{Severity: policy.Critical, Status: policy.Accepted}},
		}}}
	}
	if h.addScores(snapshot(noon, 0)); !h.due().IsZero() {
		t.Error("a score of a home in which nothing was checked")
	}
	h.addEvents([]report.Event{{Seq: 7, At: noon, Type: report.DeviceGone, Device: cameraID}})
	for _, after := range []time.Duration{0, time.Hour, 13 * time.Hour} {
		h.addScores(snapshot(noon.Add(after), 3))
	}
	want := `{"seq":7,"at":"2026-11-23T12:00:00Z","type":"device_gone","device":"mac_000c43000001"}
{"at":"2026-11-23T12:00:00Z","score":100,"devices":{"mac_000c43000001":100}}
{"at":"2026-11-24T01:00:00Z","score":100,"devices":{"mac_000c43000001":100}}
`
	if got := string(h.take(noon)); got != want {
		t.Errorf("lines:\n%swant:\n%s", got, want)
	}
	h.addEvents([]report.Event{{Seq: 8}})
	if got := h.due().Sub(noon); got != historyEvery {
		t.Errorf("the next lines are due after %v", got)
	}
	if n := strings.Count(string(h.take(noon)), "\n"); n != 1 {
		t.Errorf("%d lines, want the new one", n)
	}
}
