package inventory

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/thingwarden/thingwarden/discovery"
)

// identifiers returns the identifiers of every device but the hub.
func (inv *Inventory) identifiers() map[discovery.ID][]discovery.Identifier {
	out := map[discovery.ID][]discovery.Identifier{}
	for _, id := range inv.IDs() {
		if id != discovery.Hub {
			d, _ := inv.Device(id)
			out[id] = d.IDs
		}
	}
	return out
}

func TestClaimDoesNotTakeOverADeviceKnownByItsAddress(t *testing.T) { // threat T12
	inv := newTestInventory()
	inv.Observe(discovery.Observation{By: "mdns", At: noon, About: []discovery.Identifier{ip("10.0.0.9")}})
	inv.Tick(noon.Add(time.Minute))
	out := inv.Observe(discovery.Observation{By: "neighbours", At: noon.Add(time.Hour), About: []discovery.Identifier{mac(t, macB), claimed("10.0.0.9")}})
	want := map[discovery.ID][]discovery.Identifier{"ip_10_0_0_9": {ip("10.0.0.9")}, "mac_02000000000b": {mac(t, macB)}}
	if d := cmp.Diff(want, inv.identifiers()); d != "" || len(out.Renamed) > 0 {
		t.Errorf("renamed %v, devices (-want +got):\n%s", out.Renamed, d)
	}
}

func TestHubIsNoDeviceOfItsOwn(t *testing.T) {
	networks := lan
	networks.Watched = append(networks.Watched[:2:2], discovery.Network{
		Interface: "wlan0", Index: 3, Prefix: netip.MustParsePrefix("fe80::/64"), Own: netip.MustParseAddr("fe80::3")})
	inv := New(func() discovery.Networks { return networks }, testSources, func(discovery.ID) bool { return false }, noon)
	// What the hub announces on one interface is heard on another of the same network.
	inv.Observe(discovery.Observation{By: "mdns", At: noon, About: []discovery.Identifier{ip("fe80::2%wlan0")}, Name: "hub"})
	inv.Tick(noon.Add(time.Hour))
	if d := cmp.Diff(map[discovery.ID][]discovery.Identifier{}, inv.identifiers()); d != "" {
		t.Errorf("devices (-want +got):\n%s", d)
	}
}

func TestOwnersWordsOnAnAddressMakeNoDevice(t *testing.T) {
	for _, addr := range []string{"10.0.0.9", "10.7.0.9"} { // on link, and while the network is not connected
		inv := newTestInventory()
		inv.Observe(discovery.Observation{By: "static", At: noon, About: []discovery.Identifier{ip(addr)}, Name: "Porch", Quiet: true})
		inv.Tick(noon.Add(time.Hour))
		if d := cmp.Diff(map[discovery.ID][]discovery.Identifier{}, inv.identifiers()); d != "" {
			t.Errorf("%s: devices (-want +got):\n%s", addr, d)
		}
	}
}

func TestAddressesThatADeviceHasNoMoreGo(t *testing.T) {
	inv := newTestInventory()
	report := func(at time.Time, about ...discovery.Identifier) {
		inv.Observe(discovery.Observation{By: "neighbours", At: at, About: append([]discovery.Identifier{mac(t, macA)}, about...)})
	}
	report(noon, ip("10.0.0.9"), ip("fe80::9%eth0"))
	report(noon.Add(time.Minute), ip("10.0.0.20"), ip("fe80::9%eth0")) // another lease
	again := newTestInventory()
	again.Restore(inv.Save())
	inv = again
	report(noon.Add(2 * addrKept)) // away: its addresses are not told
	if d, _ := inv.Device("mac_02000000000a"); len(d.IDs) != 4 {
		t.Errorf("identifiers %v of a device that is away, want all that it had", d.IDs)
	}
	report(noon.Add(3*addrKept), ip("10.0.0.20"), ip("fe80::9%eth0"))
	want := map[discovery.ID][]discovery.Identifier{"mac_02000000000a": {ip("10.0.0.20"), ip("fe80::9%eth0"), mac(t, macA)}}
	if d := cmp.Diff(want, inv.identifiers()); d != "" {
		t.Errorf("devices (-want +got):\n%s", d)
	}
	if id, ok := inv.Find(ip("10.0.0.9")); ok {
		t.Errorf("the address that it gave up is still that of %s", id)
	}
}

func TestTheOldestTemporaryAddressGivesWay(t *testing.T) {
	inv := newTestInventory()
	for i := range 100 {
		inv.Observe(discovery.Observation{By: "neighbours", At: noon.Add(time.Duration(i) * time.Second),
			About: []discovery.Identifier{mac(t, macA), ip("10.0.0.9"), ip(fmt.Sprintf("2001:db8::%x", i+1))}})
	}
	d, _ := inv.Device("mac_02000000000a")
	if len(d.IDs) != maxIDs || !d.Has(ip("10.0.0.9")) || !d.Has(ip("2001:db8::64")) || d.Has(ip("2001:db8::1")) {
		t.Errorf("identifiers %v, want the IPv4 address and the newest others", d.IDs)
	}
}

func TestSlowAnswersMakeNoSecondDevice(t *testing.T) {
	// A kernel that remembers who had an address waits five seconds before it asks again.
	inv := newTestInventory()
	inv.Observe(discovery.Observation{By: "neighbours", At: noon, About: []discovery.Identifier{mac(t, macA), ip("10.0.0.9")}})
	inv.Observe(discovery.Observation{By: "mdns", At: noon, About: []discovery.Identifier{ip("fe80::9%eth0")}, Name: "phone"})
	if out, _ := inv.Tick(noon.Add(8 * time.Second)); out.Appeared != nil {
		t.Errorf("new devices %v", out.Appeared)
	}
	inv.Observe(discovery.Observation{By: "neighbours", At: noon.Add(8 * time.Second), About: []discovery.Identifier{mac(t, macA), ip("fe80::9%eth0")}})
	if d, _ := inv.Device("mac_02000000000a"); d.Name != "phone" {
		t.Errorf("name %q, want phone", d.Name)
	}
}

func TestWhoCannotLearnHardwareAddressesIsNotWaitedFor(t *testing.T) {
	inv := newTestInventory()
	out := inv.Observe(discovery.Observation{By: "neighbours", At: noon, About: []discovery.Identifier{ip("10.0.0.9")}})
	if d := cmp.Diff([]discovery.ID{"ip_10_0_0_9"}, out.Appeared); d != "" {
		t.Error(d)
	}
}
