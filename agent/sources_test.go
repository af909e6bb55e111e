package agent

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

func TestOwners(t *testing.T) {
	mac := discovery.Identifier{Kind: discovery.MACID, Value: "00005e005301"}
	four, six := netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("fe80::5%eth0")
	device := func(id discovery.ID, ids ...discovery.Identifier) report.Device {
		return report.Device{Device: discovery.Device{ID: id, IDs: ids}}
	}
	a := &Agent{}
	a.newest.Store(&report.Snapshot{Devices: []report.Device{
		device(discovery.Hub, discovery.IP(netip.MustParseAddr("10.0.0.2"))),
		device("mac_00005e005301", mac, discovery.IP(four), discovery.IP(six)),
		device("mac_00005e005302", discovery.Identifier{Kind: discovery.MACID, Value: "00005e005302"}, discovery.Claimed(netip.MustParseAddr("10.0.0.6"))),
		device("ip_10_1_0_7", discovery.IP(netip.MustParseAddr("10.1.0.7"))),
	}})
	want := map[netip.Addr]discovery.Identifier{four: mac, six: mac}
	if diff := cmp.Diff(want, a.owners(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
}
