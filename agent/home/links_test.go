package home

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// A device of a known product leads to its maker's pages, another nowhere.
func TestLinks(t *testing.T) {
	h := newHome(t, 0)
	camera := h.see(1, func(e *fact.Evidence) { fact.HTTPServer.Set(e, "Hikvision-Webs", "tcp/80") })
	other := h.see(2, nil)
	s := h.Snapshot(h.now)
	want := report.Links{Updates: "https://www.hikvision.com/en/support/download/firmware/",
		Security: "https://www.hikvision.com/en/support/cybersecurity/security-advisory/"}
	if diff := cmp.Diff(want, s.Device(camera).Links); diff != "" {
		t.Errorf("camera (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(report.Links{}, s.Device(other).Links); diff != "" {
		t.Errorf("other (-want +got):\n%s", diff)
	}
}

// What is new has evidence: when, where and by what it was first seen.
func TestEvidenceOfANewDevice(t *testing.T) {
	h := newHome(t, 0)
	id := h.see(1, nil)
	about := append(h.Snapshot(h.now).Device(id).IDs, discovery.Identifier{Kind: discovery.IPID, Value: "192.168.1.7"})
	h.observe(discovery.Observation{By: "neighbours", At: h.now, About: about}, h.now)
	h.tick(h.now)
	for _, f := range h.Snapshot(h.now).Device(id).Findings {
		if f.Policy.ID == "new-device" {
			if got, want := report.Evidence(f), "First seen on "+noon.Local().Format("2 January 2006 at 15:04")+", at 192.168.1.7, by neighbours."; got != want {
				t.Errorf("evidence %q, want %q", got, want)
			}
			return
		}
	}
	t.Error("no finding new-device")
}
