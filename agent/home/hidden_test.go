package home

import (
	"net/netip"
	"slices"
	"testing"
	"time"

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
	h.dec.setHidden([]discovery.ID{old}, h.now)
	mac, _ := discovery.MAC("000c43000001")
	see(mac, discovery.IP(at))
	if got := h.dec.HiddenIDs(); !slices.Equal(got, []discovery.ID{cameraID}) {
		t.Errorf("deleted by the owner is %v", got)
	}
	if got := h.Snapshot(h.now).Renamed; got[old] != cameraID {
		t.Errorf("publishers hear of the new identities %v", got)
	}
	// Somebody else gets the address: that one the owner did not delete.
	h.observe(discovery.Observation{By: "neighbours", At: h.now, About: []discovery.Identifier{mac}, Gone: true}, h.now)
	see(discovery.IP(at))
	if got := h.Snapshot(h.now).Renamed; len(got) != 0 {
		t.Errorf("publishers still hear of %v", got)
	}
}
