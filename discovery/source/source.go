package source

import (
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/source/mdns"
	"github.com/thingwarden/thingwarden/discovery/source/zigbee2mqtt"
	"github.com/thingwarden/thingwarden/discovery/source/zwavejs"
)

// All are the sources, sorted by name.
var All = []discovery.SourceKind{
	mdns.Kind,
	Neighbours,
	Static,
	zigbee2mqtt.Kind,
	zwavejs.Kind,
}
