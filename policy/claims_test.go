package policy

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// Threat T13: what a device says of itself in one place does not hide what was
// seen in another.
func TestClaimsHideNothing(t *testing.T) {
	s := core(t)
	evidence := map[string]any{
		"control.open": false, "control.encrypted": true, "http.redirects_to_tls": true, "http.tls": true,
		"homekit.paired": true, "device.trusted": true, "http.open": true, "http.title": nil, "mqtt.anonymous": false, "zigbee.supported": true,
		"zwave.security": "s2-access-control", "device.update_available": false, "device.manufacturer": "Trustworthy",
	}
	for _, tt := range []struct {
		want string
		seen map[string]any
	}{
		{"settings-open", map[string]any{"http.settings_open": true}},
		{"http-basic-clear", map[string]any{"http.basic_clear": true}},
		{"telnet-open", map[string]any{"device.ip_reachable": true, "telnet.open": true}},
		{"setup-network-open", map[string]any{"wifi.access_point_open": true}},
		{"page-controls-open", map[string]any{"http.controls_open": true}},
		{"wan-port-mapping", map[string]any{"wan.open_ports": []string{"tcp/23>23"}}},
		{"tls-shared-key", map[string]any{"http.tls": true, "tls.key_shared_with": []string{"00:00:5e:00:53:01"}}},
		{"device-identity-conflict", map[string]any{"address.conflicts": []string{"192.0.2.1"}}},
	} {
		t.Run(tt.want, func(t *testing.T) {
			all := maps.Clone(evidence)
			maps.Copy(all, tt.seen)
			vs, _ := s.Evaluate(facts(all), noon)
			var failed []string
			for _, v := range vs {
				if v.Result == Fail {
					failed = append(failed, v.Policy.ID)
				}
			}
			if !slices.Contains(failed, tt.want) {
				t.Errorf("fails %q only", strings.Join(failed, " "))
			}
		})
	}
}
