package homeassistant

import (
	"fmt"
	"slices"
)

// command is one that reads, as the JSON of its fields without the id. Each is a
// constant: nothing that comes from outside can become part of one.
type command string

// The commands. Those that end in discovery, and the network, are for
// administrators only.
const (
	ping            command = `"type":"ping"`
	readNetwork     command = `"type":"network"`
	readAreas       command = `"type":"config/area_registry/list"`
	readDevices     command = `"type":"config/device_registry/list"`
	readEntities    command = `"type":"config/entity_registry/list_for_display"`
	followAreas     command = `"type":"subscribe_events","event_type":"area_registry_updated"`
	followDevices   command = `"type":"subscribe_events","event_type":"device_registry_updated"`
	followEntities  command = `"type":"subscribe_events","event_type":"entity_registry_updated"`
	followUpdates   command = `"type":"subscribe_entities","include":{"domains":["update"]}`
	followLeases    command = `"type":"dhcp/subscribe_discovery"`
	followInstances command = `"type":"zeroconf/subscribe_discovery"`
	followUPnP      command = `"type":"ssdp/subscribe_discovery"`
)

// allowed are all commands that may be sent. None changes anything.
var allowed = []command{
	ping, readNetwork, readAreas, readDevices, readEntities, followAreas, followDevices, followEntities,
	followUpdates, followLeases, followInstances, followUPnP,
}

// opening are the commands of a new session, in order: first what else depends on.
var opening = []command{
	readNetwork, followAreas, followDevices, followEntities, readAreas, readDevices, readEntities,
	followUpdates, followLeases, followInstances, followUPnP,
}

// lacks says what is not known when Home Assistant refuses a command.
var lacks = map[command]string{
	readNetwork:     "which networks it is in",
	readAreas:       "its areas",
	readDevices:     "its list of devices",
	readEntities:    "to which device a waiting firmware belongs",
	followAreas:     "when an area changes",
	followDevices:   "when its list of devices changes",
	followEntities:  "when an entity comes or goes",
	followUpdates:   "which firmware waits",
	followLeases:    "which devices get an address (DHCP)",
	followInstances: "which devices announce themselves (Zeroconf)",
	followUPnP:      "which devices announce themselves by UPnP (SSDP)",
}

// encode returns the message with which a command is sent. It refuses anything
// that is not in the list.
func encode(id int64, c command) ([]byte, error) {
	if !slices.Contains(allowed, c) {
		return nil, fmt.Errorf("command %.60q is not allowed", string(c))
	}
	return fmt.Appendf(nil, `{"id":%d,%s}`, id, c), nil
}
