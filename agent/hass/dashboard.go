package hass

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// templateSite is the site whose entities the dashboard to begin with names.
const templateSite = "home"

// Dashboard makes a dashboard for Home Assistant, in YAML, for the home of a
// snapshot. Template is a dashboard for a site named "home": its entities become
// those of the snapshot's site, and a view with all devices by room is added. It
// names entities as we propose them; those that the owner renamed are to be chosen
// again.
func Dashboard(template []byte, s *report.Snapshot) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(template, &doc); err != nil {
		return nil, fmt.Errorf("reading the dashboard to begin with: %w", err)
	}
	n := names{site: s.Site}
	renameEntities(&doc, "thingwarden_"+templateSite+"_", n.identifier(""))
	var views *yaml.Node
	if len(doc.Content) > 0 {
		views = valueOf(doc.Content[0], "views")
	}
	if views == nil {
		return nil, errors.New("reading the dashboard to begin with: it has no views")
	}
	var rooms yaml.Node
	if err := rooms.Encode(n.roomsView(s)); err != nil {
		return nil, fmt.Errorf("writing the devices of the dashboard: %w", err)
	}
	views.Content = append(views.Content, &rooms)
	doc.HeadComment = "# A dashboard of what Thingwarden sees in this home. In Home Assistant: Settings,\n" +
		"# Dashboards, Add dashboard, New dashboard from scratch; open it, Edit, ⋮, Raw\n" +
		"# configuration editor, and put this in the place of what is there."
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(&doc); err != nil {
		return nil, fmt.Errorf("writing the dashboard: %w", err)
	}
	return b.Bytes(), e.Close()
}

// renameEntities replaces the beginning of ids in all text of a document.
func renameEntities(n *yaml.Node, from, to string) {
	if n.Kind == yaml.ScalarNode {
		n.Value = strings.ReplaceAll(n.Value, from, to)
	}
	for _, x := range n.Content {
		renameEntities(x, from, to)
	}
}

// valueOf returns what a mapping has under a key; nil if nothing.
func valueOf(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// The parts of a view, as Home Assistant reads them:
// https://www.home-assistant.io/dashboards/sections/
type (
	view struct {
		Title, Path, Icon, Type string
		MaxColumns              int `yaml:"max_columns"`
		Sections                []section
	}
	section struct {
		Type  string
		Cards []card
	}
	card struct {
		Type        string
		Heading     string       `yaml:",omitempty"`
		Icon        string       `yaml:",omitempty"`
		Entity      string       `yaml:",omitempty"`
		Name        string       `yaml:",omitempty"`
		Visibility  []visibility `yaml:",omitempty"`
		GridOptions *gridOptions `yaml:"grid_options,omitempty"`
	}
	visibility struct {
		Condition, Entity string
		StateNot          string `yaml:"state_not"`
	}
	gridOptions struct{ Columns string }
)

// roomsView shows each device once: first those that wait for a word of the owner,
// then all by room, those in no room last.
func (n names) roomsView(s *report.Snapshot) view {
	v := view{Title: "Devices", Path: "devices", Icon: "mdi:devices", Type: "sections", MaxColumns: 3, Sections: []section{}}
	fresh := section{Type: "grid", Cards: []card{{Type: "heading", Heading: "New: yours?", Icon: "mdi:new-box"}}}
	rooms := map[string][]card{}
	for _, d := range slices.SortedFunc(slices.Values(s.Devices), byTitle) {
		if d.ID == discovery.Hub || d.Hidden || d.Muted || d.Provisional {
			continue
		}
		title := cut(fact.Clean(d.Title, maxName), maxName)
		c := n.deviceComponents(d)
		if trusted := c["trusted"].DefaultEntityID; waits(d) {
			fresh.Cards = append(fresh.Cards, card{Type: "tile", Entity: trusted, Name: title, GridOptions: &gridOptions{"full"},
				Visibility: []visibility{{"state", trusted, "on"}}})
		}
		room := cut(fact.Clean(d.Room, maxName), maxName)
		rooms[room] = append(rooms[room], card{Type: "tile", Entity: c["worst"].DefaultEntityID, Name: title})
	}
	if len(fresh.Cards) > 1 {
		v.Sections = append(v.Sections, fresh)
	}
	inOrder := slices.SortedFunc(maps.Keys(rooms), func(a, b string) int {
		return cmp.Or(compareBool(a == "", b == ""), cmp.Compare(strings.ToLower(a), strings.ToLower(b)), cmp.Compare(a, b))
	})
	for _, room := range inOrder {
		heading := card{Type: "heading", Heading: cmp.Or(room, "In no room"), Icon: "mdi:floor-plan"}
		v.Sections = append(v.Sections, section{"grid", append([]card{heading}, rooms[room]...)})
	}
	return v
}

func byTitle(a, b report.Device) int {
	return cmp.Or(cmp.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title)), cmp.Compare(a.ID, b.ID))
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// waits reports whether a device came after the learning period and nobody has said
// what to think of it.
func waits(d report.Device) bool {
	for _, e := range d.Facts {
		if e.Name == fact.DeviceAppeared.Name() {
			after, _ := e.Value.(bool)
			return after && !d.Trusted
		}
	}
	return false
}
