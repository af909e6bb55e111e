package agent

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/builtin"
	"github.com/thingwarden/thingwarden/discovery/network"
	"github.com/thingwarden/thingwarden/discovery/source/homeassistant"
)

func TestSight(t *testing.T) {
	app := discovery.Networks{Skipped: []discovery.Skipped{{Interface: "eth0", Reason: "is a container's cable (veth)"}}}
	lan := []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24")}
	for _, tt := range []struct {
		name                string
		routed              []netip.Prefix
		probed              bool // Home Assistant
		noNetwork, noDevice string
	}{
		{"nobody tells of the home", nil, false, "Nothing of your home network can be seen", "is not in a network that you named"},
		{"a network is named from afar", lan, false, "", "is not in a network that you named"},
		{"Home Assistant tells where it is", lan, true, "", "learns of its devices from Home Assistant alone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &network.Routed{}
			r.Set(tt.routed)
			a := &Agent{networks: r.Added(func() discovery.Networks { return app }), kinds: builtin.Sources,
				log: slog.New(slog.DiscardHandler), routed: &network.Routed{}}
			a.opt.Config = config.Default()
			a.opt.Config.Sources["homeassistant"] = &config.Source{Enabled: tt.probed, Config: &homeassistant.Config{URL: "http://127.0.0.1:8123"}}
			got := a.sight()
			if (got.NoNetwork == "") != (tt.noNetwork == "") || !strings.Contains(got.NoNetwork, tt.noNetwork) ||
				!strings.Contains(got.NoDevice, tt.noDevice) || got.Remote != tt.probed {
				t.Errorf("sight %+v", got)
			}
		})
	}
}
