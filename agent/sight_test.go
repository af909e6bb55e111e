package agent

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/source/homeassistant"
)

func TestBlind(t *testing.T) {
	restarted := func(h *home) { h.see(1, nil); h.wait(time.Hour); h.restart() }
	for _, tt := range []struct {
		name string
		do   func(h *home)
		want bool
	}{
		{"nothing answers", func(*home) {}, true},
		{"a device answers", func(h *home) { h.see(1, nil) }, false},
		{"known from an earlier run only", restarted, true},
		{"known, and seen again", func(h *home) { restarted(h); h.see(1, telnet(false)) }, false},
		{"only in the configuration", func(h *home) {
			mac, _ := discovery.MAC("000c43000001")
			h.observe(discovery.Observation{By: "static", At: h.now, About: []discovery.Identifier{mac}, Quiet: true}, h.now)
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t, 24*time.Hour)
			tt.do(h)
			h.wait(firstSight)
			a := &Agent{networks: h.o.networks}
			if got := a.blind(h.core, h.now); (got != "") != tt.want {
				t.Errorf("blind: %q, want %v", got, tt.want)
			}
		})
	}
}

// TestBlindWithoutAWayIn: an agent that is not in the home's network itself sees by
// Home Assistant, as long as that tells of anything.
func TestBlindWithoutAWayIn(t *testing.T) {
	app := discovery.Networks{Skipped: []discovery.Skipped{{Interface: "eth0", Reason: "is a container's cable (veth)"}}}
	lan := []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24")}
	tell := func(h *home) {
		mac, _ := discovery.MAC("000c43000001")
		e := fact.New(homeassistant.Name, h.now)
		fact.DeviceKind.Set(e, "lan", "")
		h.observe(discovery.Observation{By: homeassistant.Name, At: h.now, About: []discovery.Identifier{mac}, Facts: e, Quiet: true}, h.now)
	}
	for _, tt := range []struct {
		name   string
		routed []netip.Prefix
		do     func(h *home)
		alone  bool // Home Assistant is not asked
		want   string
	}{
		{"nobody tells of the home", nil, func(*home) {}, true, "Nothing of your home network can be seen"},
		{"a network is named from afar, and nobody tells of a device there", lan, func(*home) {}, true, "is not in a network that you named"},
		{"Home Assistant tells where it is, and of no device", lan, func(*home) {}, false, "learns of its devices from Home Assistant alone"},
		{"it tells of a device", lan, tell, false, ""},
		{"and is restarted", lan, func(h *home) { tell(h); h.wait(time.Hour); h.restart(); tell(h) }, false, ""},
		{"it told of a device and is lost", lan, func(h *home) {
			tell(h)
			h.wait(time.Hour)
			h.restart()
			h.setHealth(homeassistant.Name, discovery.Down, "It cannot be reached.")
		}, false, "learns of its devices from Home Assistant alone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t, 24*time.Hour)
			tt.do(h)
			h.wait(firstSight)
			r := &routed{}
			r.set(tt.routed)
			a := &Agent{networks: r.added(func() discovery.Networks { return app })}
			if !tt.alone {
				a.opt.Config.Sources.HomeAssistant = config.HomeAssistant{Enabled: true, URL: "http://127.0.0.1:8123"}
			}
			if got := a.blind(h.core, h.now); tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("blind: %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNetworksAreNamedOnce(t *testing.T) {
	w := discovery.Network{Interface: "eth0", Prefix: netip.MustParsePrefix("2001:db8::/64"), Own: netip.MustParseAddr("2001:db8::1")}
	temporary := w
	temporary.Own = netip.MustParseAddr("2001:db8::2")
	got := describeNetworks(discovery.Networks{Looked: []discovery.Network{w, temporary}})
	if want := "Looking at: 2001:db8::/64 on eth0."; got != want {
		t.Errorf("%q, want %q: it is said again at each change", got, want)
	}
}
