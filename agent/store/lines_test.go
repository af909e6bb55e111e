package store

import (
	"strings"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/policy"
)

func TestLines(t *testing.T) {
	var h Lines
	snapshot := func(at time.Time, checked int) *report.Snapshot {
		return &report.Snapshot{At: at, Devices: []report.Device{{
			Device: discovery.Device{ID: "mac_000c43000001"}, Checked: checked,
			Findings: []policy.Finding{{Severity: policy.Critical, Status: policy.Accepted}},
		}}}
	}
	if h.AddScores(snapshot(noon, 0)); !h.Due().IsZero() {
		t.Error("a score of a home in which nothing was checked")
	}
	h.AddEvents([]report.Event{{Seq: 7, At: noon, Type: report.DeviceGone, Device: "mac_000c43000001"}})
	for _, after := range []time.Duration{0, time.Hour, 13 * time.Hour} {
		h.AddScores(snapshot(noon.Add(after), 3))
	}
	want := `{"seq":7,"at":"2026-11-23T12:00:00Z","type":"device_gone","device":"mac_000c43000001"}
{"at":"2026-11-23T12:00:00Z","score":100,"devices":{"mac_000c43000001":100}}
{"at":"2026-11-24T01:00:00Z","score":100,"devices":{"mac_000c43000001":100}}
`
	if got := string(h.Take(noon)); got != want {
		t.Errorf("lines:\n%swant:\n%s", got, want)
	}
	h.AddEvents([]report.Event{{Seq: 8}})
	if got := h.Due().Sub(noon); got != historyEvery {
		t.Errorf("the next lines are due after %v", got)
	}
	if n := strings.Count(string(h.Take(noon)), "\n"); n != 1 {
		t.Errorf("%d lines, want the new one", n)
	}
}
