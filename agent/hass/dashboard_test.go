package hass

import (
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// TestDashboard: whatever the site, each entity that the dashboard names is one that
// is published, and names of devices stay text.
func TestDashboard(t *testing.T) {
	template, err := os.ReadFile("../../ha-addon/dashboards/thingwarden.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const evil = "x\n- type: iframe # {{ states }} 'a' \"b\": [c"
	for _, site := range []string{"home", "cabin2"} {
		t.Run(site, func(t *testing.T) {
			s := snapshot()
			s.Site = site
			o := testOptions()
			o.Site = site
			fresh := &s.Devices[slices.IndexFunc(s.Devices, func(d report.Device) bool { return d.ID != discovery.Hub && !d.Trusted })]
			ev := fact.New("test", noon)
			fact.DeviceAppeared.Set(ev, true, "")
			fresh.Facts, fresh.Title, fresh.Room = ev.Entries(), evil, evil
			b, err := Dashboard(template, s)
			if err != nil {
				t.Fatal(err)
			}
			there := map[string]bool{}
			for _, m := range messages(s, o, nil) {
				for _, c := range m.content.Components {
					there[c.DefaultEntityID] = true
				}
			}
			var got any
			if err := yaml.Unmarshal(b, &got); err != nil {
				t.Fatalf("%v in\n%s", err, b)
			}
			entities := textsUnder("entity", got)
			for _, e := range entities {
				if !there[e] {
					t.Errorf("names %s, which is not published", e)
				}
			}
			for _, want := range []string{"sensor.thingwarden_" + site + "_hub_score", "switch.thingwarden_" + site + "_" + string(fresh.ID) + "_trusted"} {
				if !slices.Contains(entities, want) {
					t.Errorf("does not show %s", want)
				}
			}
			if site != "home" && strings.Contains(string(b), "thingwarden_home_") {
				t.Error("names an entity of another site")
			}
			if slices.Contains(textsUnder("type", got), "iframe") {
				t.Error("a device's name became a card")
			}
			if names := textsUnder("name", got); !slices.Contains(names, fact.Clean(evil, maxName)) {
				t.Errorf("the device's name is not among %q", names)
			}
		})
	}
	for _, broken := range []string{"", "a: [", "title: x"} {
		if _, err := Dashboard([]byte(broken), snapshot()); err == nil {
			t.Errorf("%q is taken", broken)
		}
	}
}

// textsUnder returns the text of each key of that name, at any depth.
func textsUnder(key string, v any) (out []string) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if s, ok := x.(string); ok && k == key {
				out = append(out, s)
			}
			out = append(out, textsUnder(key, x)...)
		}
	case []any:
		for _, x := range v {
			out = append(out, textsUnder(key, x)...)
		}
	}
	return out
}
