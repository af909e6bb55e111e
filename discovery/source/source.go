// Package source holds the sources: what knows many devices of a home at once.
// A source is one file here, or a package below once it is larger; All lists
// them. What makes a good source stands in discovery/README.md.
//
// It is not a source's job to decide which device it sees is which (package
// discovery does), to judge (package policy does), or to change anything.
package source

import (
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/source/homeassistant"
	"github.com/thingwarden/thingwarden/discovery/source/mdns"
	"github.com/thingwarden/thingwarden/discovery/source/ssdp"
	"github.com/thingwarden/thingwarden/discovery/source/zigbee2mqtt"
	"github.com/thingwarden/thingwarden/discovery/source/zwavejs"
)

// All are the sources, sorted by name.
var All = []discovery.SourceKind{
	homeassistant.Kind,
	mdns.Kind,
	Neighbours,
	ssdp.Kind,
	Static,
	zigbee2mqtt.Kind,
	zwavejs.Kind,
}
