package home

import (
	"net/netip"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// TestHiddenHoldsWhenADeviceGetsABetterIdentity: a device beyond a router comes to
// the hub's own network, where its hardware address is seen.
func TestHiddenHoldsWhenADeviceGetsABetterIdentity(t *testing.T) {
	h := newHome(t, 24*time.Hour)
	at := netip.MustParseAddr("10.0.1.9")
	see := func(ids ...discovery.Identifier) {
		e := fact.New("neighbours", h.now)
		fact.DeviceKind.Set(e, "lan", "")
		h.observe(discovery.Observation{By: "neighbours", At: h.now, About: ids, Facts: e}, h.now)
		h.tick(h.now)
	}
	const old = discovery.ID("ip_10_0_1_9")
	see(discovery.IP(at))
	h.do(report.Command{Action: report.Hide, Device: old})
	mac, _ := discovery.MAC("000c43000001")
	see(mac, discovery.IP(at))
	if d := h.Snapshot(h.now).Device(cameraID); d == nil || !d.Hidden {
		t.Errorf("under its new identity: %+v", d)
	}
	// Somebody else gets the address: that one the owner did not delete.
	h.observe(discovery.Observation{By: "neighbours", At: h.now, About: []discovery.Identifier{mac}, Gone: true}, h.now)
	see(discovery.IP(at))
	if d := h.Snapshot(h.now).Device(old); d == nil || d.Hidden {
		t.Errorf("the next one with its address: %+v", d)
	}
}
