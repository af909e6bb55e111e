package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

// routerPolicies are those about the router and its port mappings.
var routerPolicies = []string{
	"double-nat", "igd-upnp-on", "ipv6-device-global", "ipv6-firewall-off", "ipv6-pinhole-allowed", "natpmp-pcp-on",
	"wan-port-mapping", "wan-port-mapping-stale",
}

// TestRouter is a home whose camera has had a port mapped, and in which
// another device claims to be a router that maps a port to a clean one: the camera has
// the finding, the clean device has none, and when the mapping is removed the finding
// goes.
func TestRouter(t *testing.T) {
	l := lab.New(t)
	m := startBroker(t, l)
	router, camera, clean, rogue := l.Host("router"), l.Host("camera"), l.Host("clean"), l.Host("rogue")
	link, err := netlink.LinkByName(lab.LAN0.Name)
	if err == nil {
		err = netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: router.IP().AsSlice()})
	}
	if err != nil {
		t.Fatalf("make the router the hub's: %v", err)
	}
	daemon := router.Miniupnpd(t, "9.9.9.9/24")
	daemon.Map(t, camera, "TCP", 10554, 554, "IPCam {{ 1 }} <b>")
	rogue.Miniupnpd(t, "9.9.9.10/24", "friendly_name=Better router").Map(t, clean, "TCP", 23, 23, "lie")
	want := map[string][]string{
		macID(router): {"igd-upnp-on", "ipv6-pinhole-allowed", "natpmp-pcp-on"},
		macID(camera): {"wan-port-mapping"},
		macID(clean):  nil,
		macID(rogue):  {"igd-upnp-on", "ipv6-pinhole-allowed"},
		"hub":         nil,
	}
	o := look(t, m)
	a := startAgent(t, l.Hub(), brokerConfig(m))
	found := func() map[string][]string {
		got := o.published()
		for id := range got {
			got[id] = slices.DeleteFunc(got[id], func(p string) bool { return !slices.Contains(routerPolicies, p) })
			if len(got[id]) == 0 {
				got[id] = nil
			}
		}
		return got
	}
	began := time.Now()
	poll(time.Minute, func() bool { return cmp.Equal(want, found()) })
	if d := cmp.Diff(want, found()); d != "" {
		t.Fatalf("findings on the broker (-want +got):\n%s", d)
	}
	t.Logf("all findings %v after the start", time.Since(began).Round(time.Second/10))
	_, attr := o.finding(macID(camera), "wan-port-mapping")
	if attr["severity"] != "critical" {
		t.Errorf("severity %v: RTSP is open to the Internet", attr["severity"])
	}
	if want := "From the Internet, TCP port 10554 to port 554 of this device."; attr["evidence"] != want {
		t.Errorf("evidence %v, want %s", attr["evidence"], want)
	}
	if want := `tcp/10554→554, leased, "IPCam 1 b"`; attr["proof"] != want {
		t.Errorf("proof %v, want %s", attr["proof"], want)
	}

	daemon.Unmap(t, camera, "TCP", 10554)
	if out, code := a.cli("recheck", macID(router)); code != 0 {
		t.Fatalf("recheck: %s", out)
	}
	want[macID(camera)] = nil
	poll(time.Minute, func() bool { return cmp.Equal(want, found()) })
	if d := cmp.Diff(want, found()); d != "" {
		t.Errorf("after the mapping was removed (-want +got):\n%s", d)
	}
}
